"""Two parts of the page: the plan's stages, and a picture of how requests come to the worst findings."""

from __future__ import annotations

from collections.abc import Iterator

from evenkeel.audit.planning import Scenario, Stage, build_plan, texts
from evenkeel.audit.report.html_paths import picture
from evenkeel.audit.report.html_text import escaped, rich
from evenkeel.audit.report.material import Material


def stages(material: Material) -> Iterator[str]:
    """One card a stage: what is done in it, how risky it is, how long it takes."""
    plan, say = build_plan(material.original), material.say
    if not plan.stages:
        return
    yield f"<h2>{escaped(say('Plan'))}</h2>"
    yield f'<p class="quiet">{rich(say("The whole plan: `evenkeel audit PATH --plan`."))}</p>'
    yield f'<ol class="stages">{"".join(_stage(each, material) for each in plan.stages)}{_proof(plan.scenarios, material)}</ol>'


def hot_paths(material: Material) -> Iterator[str]:
    """The picture, where anything was found on a hot path."""
    drawn = picture(material)
    if drawn:
        title = escaped(material.say("How requests come to the worst of them"))
        yield f"<h2>{title}</h2>"
        yield f'<div class="table paths" tabindex="0" role="region" aria-label="{title}">{drawn}</div>'


def _stage(stage: Stage, material: Material) -> str:
    say, words = material.say, texts(material.say.language)
    risk, days = say(f"{stage.risk} risk"), say(f"{stage.days[0]} to {stage.days[1]} days")
    items = "".join(
        f'<li><span class="mark{" hot" if each.priority == "P0" else ""}">{each.priority}</span> '
        f"{escaped(words.rules[each.entry].title) if each.entry in words.rules else escaped(each.rule)} "
        f'<span class="quiet">({len(each.findings):,})</span></li>'
        for each in stage.bottlenecks
    )
    head = f'<strong>{stage.name}</strong> <span class="quiet">{escaped(risk)} · {escaped(days)}</span>'
    return f'<li>{head}<ul class="plain">{items}</ul></li>'


def _proof(scenarios: tuple[Scenario, ...], material: Material) -> str:
    names = ", ".join(each.name for each in scenarios)
    text = material.say(f"{f'load tests {names}; ' if names else ''}alert thresholds and regression base lines fixed")
    return f"<li><strong>D</strong> <p>{escaped(text)}</p></li>"
