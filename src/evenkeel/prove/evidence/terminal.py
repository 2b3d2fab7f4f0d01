"""The table at the end of a session."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from evenkeel.prove.evidence.record import Evidence, Judged
from evenkeel.prove.measure.values import Interval
from evenkeel.prove.verdict import Finding, Promise, Verdict

COLOURS = {Verdict.BETTER: "green", Verdict.WORSE: "red", Verdict.SAME: "default", Verdict.UNKNOWN: "yellow"}


def shown(evidence: Evidence, console: Console) -> None:
    """Print every scenario."""
    place = evidence.machine
    console.print(
        f"{evidence.database}, size {evidence.size}, seed {evidence.seed}; {place.cores} cores, {place.processor}, "
        f"Python {place.python}, load {place.load}, fsync {place.fsync_ms:g} ms"
    )
    for judged in evidence.scenarios:
        _scenario(judged, evidence, console)
    for note in evidence.notes:
        console.print(note)


def _scenario(judged: Judged, evidence: Evidence, console: Console) -> None:
    console.print(f"\n[bold]{judged.key} {judged.title}[/bold]: {len(judged.runs)} runs, {judged.void} void")
    ours, theirs = list(evidence.arms)[:2] if len(evidence.arms) > 1 else (*evidence.arms, "-")
    table = Table(box=None, pad_edge=False)
    for name in ("figure", ours, theirs, "ratio (95 %)", "verdict", "bounds"):
        table.add_column(name, justify="left" if name in {"figure", "verdict", "bounds"} else "right")
    for finding in judged.findings:
        if finding.ours or finding.theirs:
            table.add_row(*_cells(finding))
    console.print(table)
    for growth in judged.growths:
        found = growth.per_hour
        rate = f"{found.estimate:+.3g} per hour ({found.low:+.3g} to {found.high:+.3g})" if found else ""
        console.print(f"  {growth.arm}: {growth.name} {growth.verdict} {rate} {growth.why}")
    for ruling in judged.rulings:
        state = "[green]holds[/green]" if ruling.holds else "[red]broken[/red]" if ruling.runs else "not counted"
        console.print(f"  {ruling.arm}: {ruling.check.title}: {ruling.worst} at most in {ruling.runs} runs, {state}")
    for reason in sorted({run.void for run in judged.runs if run.void}):
        console.print(f"  [yellow]void:[/yellow] {reason}")


def _cells(finding: Finding) -> tuple[str, ...]:
    colour = COLOURS[finding.verdict]
    found = finding.ratio
    ratio = f"{found.estimate:.3g} ({found.low:.3g} to {found.high:.3g})" if found and found.count > 1 else (
        f"{found.estimate:.3g}" if found else "-"
    )  # fmt: skip
    name = f"{finding.figure.title}, {finding.figure.unit}"
    return (
        name,
        value(finding.ours),
        value(finding.theirs),
        ratio,
        f"[{colour}]{finding.verdict}[/{colour}]",
        bounds(finding),
    )


def value(found: Interval | None) -> str:
    """A mean."""
    return (
        "-" if found is None else f"{found.estimate:,.3g}" if abs(found.estimate) < 1000 else f"{found.estimate:,.0f}"
    )


def bounds(finding: Finding) -> str:
    """What became of floor, aim and limit."""
    figure = finding.figure
    parts = []
    for name, bound, promise in (
        ("floor", figure.floor, finding.floor),
        ("aim", figure.aim, finding.aim),
        ("limit", figure.limit, finding.limit),
    ):
        if promise is not Promise.NONE:
            parts.append(f"{name} {bound:g}: {promise}")
    return ", ".join(parts)
