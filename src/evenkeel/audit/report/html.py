"""The report as one page that opens offline: style and script stand in it, and its policy lets nothing else in.

Everything from the audited code is escaped; the page works without its script, which only filters.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from evenkeel.audit.model.finding import SEVERITIES
from evenkeel.audit.model.result import AuditResult, CategoryResult, worst_first
from evenkeel.audit.report.html_controls import controls
from evenkeel.audit.report.html_findings import block, place
from evenkeel.audit.report.html_plan import hot_paths, stages
from evenkeel.audit.report.html_text import escaped, rich, web_link
from evenkeel.audit.report.material import Material
from evenkeel.audit.report.summary import band_words, tally, view_sentences
from evenkeel.audit.wording import Wording

_FOLDER = Path(__file__).parent / "page"


def render(material: Material) -> str:
    """The whole page. The same result gives the same text."""
    style, script = (_asset(name) for name in ("style.css", "behaviour.js"))
    title = escaped(material.say(f"Persistence & Performance Audit: {material.name}"))
    body = "\n".join(part for section in SECTIONS for part in section(material))
    return f"""<!doctype html>
<html lang="{material.say.tag}">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{_policy(style, script)}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<a class="skip" href="#findings">{escaped(material.say("To the findings"))}</a>
<header>
<h1>{title}</h1>
<p class="quiet">{escaped(material.result.date)}</p>
</header>
<main>
{body}
</main>
<script>{script}</script>
</body>
</html>
"""


def _asset(name: str) -> str:
    return (_FOLDER / name).read_text(encoding="utf-8")


def _policy(style: str, script: str) -> str:
    digests = (base64.b64encode(hashlib.sha256(each.encode()).digest()).decode() for each in (style, script))
    style_digest, script_digest = digests
    return (
        f"default-src 'none'; style-src 'sha256-{style_digest}'; script-src 'sha256-{script_digest}'; "
        "base-uri 'none'; form-action 'none'"
    )


def _scores(material: Material) -> Iterator[str]:
    result, say = material.result, material.say
    yield f"<p>{rich(result.summary)}</p>"
    yield f'<h2>{say("Scores")}</h2>\n<ul class="cards">'
    yield _card(say("Overall"), result.overall_score, _overall_note(result, say))
    for each in result.categories:
        yield _card(each.category, each.score, _category_note(each, say))
    yield "</ul>"


def _card(title: str, score: float | None, note: str) -> str:
    shown = "n/a" if score is None else f"{score}/10"
    width = 0 if score is None else round(score * 10)
    colour = "good" if width >= 80 else "medium" if width >= 40 else "high"
    bar = (
        '<svg viewBox="0 0 100 4" preserveAspectRatio="none" aria-hidden="true"><rect class="ground" width="100" '
        f'height="4"/><rect class="{colour}" width="{width}" height="4"/></svg>'
    )
    return f'<li>{escaped(title)}<strong>{shown}</strong>{bar}<span class="quiet">{escaped(note)}</span></li>'


def _overall_note(result: AuditResult, say: Wording) -> str:
    ran = result.overall_score is not None
    return say(band_words(result.overall_score or 0.0, result.scored) if ran else "no category ran")


def _category_note(category: CategoryResult, say: Wording) -> str:
    if category.score is None:
        return say(f"failed: {category.note}")
    return say(tally(category.counts) or "no findings")


def _severities(material: Material) -> Iterator[str]:
    counts = material.result.counts
    most = max((counts.of(each) for each in SEVERITIES), default=0) or 1
    yield f'<h2>{material.say("Severities")}</h2>\n<dl class="chart">'
    for each in SEVERITIES:
        width = round(100 * counts.of(each) / most, 1)
        bar = (
            '<svg viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true"><rect class="ground" width="100" '
            f'height="10"/><rect class="{each.lower()}" width="{width}" height="10"/></svg>'
        )
        name = f'<dt class="severity {each.lower()}">{material.say(each)}</dt>'
        yield f'<div>{name}<dd>{bar}</dd><dd class="number">{counts.of(each):,}</dd></div>'
    yield "</dl>"


def _findings(material: Material) -> Iterator[str]:
    result = material.result
    category_of = {each.fingerprint: category for category in result.categories for each in category.findings}
    yield f'<h2 id="findings">{material.say("Findings, the worst first")}</h2>'
    yield from (f'<p class="quiet">{rich(each)}</p>' for each in view_sentences(result, material.say))
    if not result.findings:
        yield f"<p>{material.say('No findings.')}</p>"
        return
    yield controls(result, material.say)
    for number, each in enumerate(worst_first(result.findings)):
        yield block(each, category_of[each.fingerprint], material, opened=number == 0)


def _advisories(material: Material) -> Iterator[str]:
    rows = [
        (
            material.say(each.severity),
            place(each),
            rich(each.issue),
            rich(f"{each.advisory.reason}: {material.say.semicolon.join(each.advisory.evidence)}"),
        )
        for category in material.result.categories
        for each in category.advisories
        if each.advisory
    ]
    yield from _table("Advisories, at no cost", ("Severity", "Place", "Issue", "Why"), rows, material.say)


def _unsettled(material: Material) -> Iterator[str]:
    rows = [
        (material.say(each.severity), place(each), rich(each.issue), rich(each.settled_by))
        for category in material.result.categories
        for each in category.unsettled
    ]
    yield from _table(
        "In need of context, at no cost", ("Severity", "Place", "Issue", "Settled by"), rows, material.say
    )


def _suppressed(material: Material) -> Iterator[str]:
    rows = [
        (
            material.say(each.finding.severity),
            place(each.finding),
            rich(each.finding.issue),
            rich(f"{each.by} {each.reason}"),
        )
        for each in material.result.suppressed
    ]
    yield from _table("Suppressed", ("Severity", "Place", "Issue", "By"), rows, material.say)


def _notices(material: Material) -> Iterator[str]:
    rows = [
        (f"<code>{escaped(f'{each.file}:{each.line}')}</code>", rich(each.what)) for each in material.result.notices
    ]
    yield from _table("Notices", ("Place", "What"), rows, material.say)


def _stale(material: Material) -> Iterator[str]:
    view = material.result.view
    rows = [
        (f"<code>{escaped(each.rule)}</code>", f"<code>{escaped(each.file)}</code>", rich(each.issue))
        for each in (view.stale if view else ())
    ]
    yield from _table("Stale baseline entries", ("Rule", "File", "Issue"), rows, material.say)


def _gaps(material: Material) -> Iterator[str]:
    rows = [
        (escaped(material.say(each.kind)), f"<code>{escaped(each.what)}</code>", rich(each.why), f"{each.count:,}")
        for each in material.result.gaps
    ]
    yield from _table("Not analysed", ("Kind", "What", "Why", "Count"), rows, material.say)


def _pages(material: Material) -> Iterator[str]:
    named = {each.rule for each in material.result.findings}
    rules = [each for each in material.rules if each.slug in named]
    if rules:
        yield f"<h2>{material.say('Rules')}</h2>"
    for each in rules:
        summary = f'<summary><span class="top"><code>{escaped(each.slug)}</code> {escaped(each.title)}</span></summary>'
        page = "\n".join(escaped(line, keep=True) for line in each.page.strip().splitlines())
        yield f'<details class="finding" data-page id="rule-{escaped(each.slug)}">{summary}'
        yield f'<div class="inside"><pre class="page" tabindex="0">{page}</pre></div></details>'


def _sources(material: Material) -> Iterator[str]:
    if material.result.sources:
        yield f"<h2>{material.say('Sources')}</h2>"
        yield _list(
            f"{web_link(each.title, each.url)} ({escaped(material.say(each.origin))})"
            for each in material.result.sources
        )


def _done(material: Material) -> Iterator[str]:
    if material.result.definition_of_done:
        yield f"<h2>{material.say('Definition of done')}</h2>"
        yield _list(
            f"{'✓' if each.done else '✗'} {escaped(each.item)}{f': {rich(each.note)}' if each.note else ''}"
            for each in material.result.definition_of_done
        )


SECTIONS: tuple[Callable[[Material], Iterator[str]], ...] = (
    _scores, _severities, stages, hot_paths, _findings, _advisories, _unsettled, _suppressed, _stale, _notices, _gaps,
    _pages, _sources, _done,
)  # fmt: skip


def _table(name: str, columns: Sequence[str], rows: Sequence[Sequence[str]], say: Wording) -> Iterator[str]:
    if not rows:
        return
    title = escaped(say(name))
    head = "".join(f'<th scope="col">{escaped(say(each))}</th>' for each in columns)
    body = "\n".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    yield f"<h2>{title}</h2>"
    yield f'<div class="table" tabindex="0" role="region" aria-label="{title}">'
    yield f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"


def _list(items: Iterable[str]) -> str:
    return f'<ul class="plain">{"".join(f"<li>{each}</li>" for each in items)}</ul>'
