"""The evidence as one HTML page that opens offline: what was judged, how it was measured, charts, every run."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from html import escape

import msgspec

from evenkeel.prove.evidence.charts import Line, chart
from evenkeel.prove.evidence.record import Evidence, Judged
from evenkeel.prove.evidence.terminal import bounds, value
from evenkeel.prove.measure.histograms import merged
from evenkeel.prove.measure.values import Interval, Observation

PERCENTILES = (0, 10, 25, 50, 75, 90, 95, 97.5, 99, 99.5, 99.9, 99.95, 99.99)
TICKS = ((0.0, "0 %"), (0.301, "50 %"), (1.0, "90 %"), (2.0, "99 %"), (3.0, "99.9 %"), (4.0, "99.99 %"))
SERIES = {  # chart -> (unit, series)
    "Throughput": ("1/s", ("turns_per_s", "events_per_s", "tasks_per_s")),
    "Open streams": ("streams", ("open_streams",)),
    "Server memory": ("MiB", ("rss_mib",)),
    "Server CPU": ("cores", ("cpu_share",)),
    "Threads": ("threads", ("threads",)),
    "Descriptors": ("descriptors", ("descriptors",)),
    "Queues": ("items", ("rows_waiting", "waiting", "tokens", "rings", "readers")),
}
STYLE = """
:root{color-scheme:light dark}
body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}
table{border-collapse:collapse;margin:.6rem 0;font-variant-numeric:tabular-nums}
th,td{padding:.15rem .7rem .15rem 0;text-align:right;border-bottom:1px solid #8884}
th:first-child,td:first-child{text-align:left}
.better{color:#2b8a3e}.worse,.broken{color:#c92a2a}.unknown{color:#b36b00}
figure{margin:1rem 0}figcaption{font-weight:600}figcaption span{font-weight:400;margin-left:.6rem}
svg{width:100%;height:auto;font-size:11px;fill:currentColor}
.g{stroke:#8883}.m{stroke:#c92a2a;stroke-dasharray:4 3}.u{font-style:italic}
details{margin:.6rem 0}small{opacity:.75}
"""


def page(evidence: Evidence) -> bytes:
    """The whole page, UTF-8."""
    place = evidence.machine
    head = (
        f"<p>{escape(evidence.started)}, {evidence.seconds:,.0f} s. {escape(evidence.database)}; size {escape(evidence.size)}; "
        f"seed {evidence.seed}. {place.cores} cores, {escape(place.processor)}, {place.memory_mib:,} MiB, "
        f"{escape(place.system)}, Python {escape(place.python)}, load before: {place.load}, fsync "
        f"{place.fsync_ms:g} ms. Server, database, model and clients share the machine.</p>"
    )
    stopped = "<p class=broken>Interrupted: what was measured until then.</p>" if evidence.interrupted else ""
    body = "".join(_scenario(judged, evidence) for judged in evidence.scenarios)
    arms = "".join(f"<li><b>{escape(name)}</b>: <code>{escape(how)}</code></li>" for name, how in evidence.arms.items())
    versions = ", ".join(f"{escape(name)} {escape(version)}" for name, version in evidence.versions.items())
    notes = "".join(f"<li>{escape(note)}</li>" for note in evidence.notes)
    text = (
        '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>evenkeel prove</title><style>{STYLE}</style><h1>evenkeel prove</h1>{head}{stopped}<ul>{arms}</ul>{body}"
        f"<h2>How</h2><p><code>{escape(' '.join(evidence.command))}</code></p><p>{versions}</p><ul>{notes}</ul>"
        f"<details><summary>Switches</summary><pre>{escape(_pretty(evidence.switches))}</pre></details>"
        "<p><small>A ratio is the first arm to the second, the geometric mean over pairs of runs, with a bootstrap interval. "
        "Latencies are measured from the moment at which a request should have been sent.</small></p></html>"
    )
    return text.encode()


def _scenario(judged: Judged, evidence: Evidence) -> str:
    return (
        f"<h2>{escape(judged.key)}: {escape(judged.title)}</h2><p>{escape(judged.load)}. {escape(_size(judged))}. "
        f"{len(judged.runs)} runs, {judged.void} void.</p>{_findings(judged, list(evidence.arms))}{_growths(judged)}"
        f"{_rulings(judged)}{''.join(_charts(judged))}{_runs(judged)}"
    )


def _size(judged: Judged) -> str:
    return ", ".join(f"{name} {number:g}" for name, number in judged.size.items())


def _findings(judged: Judged, arms: Sequence[str]) -> str:
    rows = [
        f"<tr><td>{escape(each.figure.title)}, {escape(each.figure.unit)}<td>{value(each.ours)}<td>{value(each.theirs)}"
        f"<td>{_interval(each.ratio)}<td class={each.verdict}>{each.verdict}<td>{escape(bounds(each))}<td>{each.margin:.1%}</tr>"
        for each in judged.findings
        if each.ours or each.theirs
    ]
    titles = "".join(f"<th>{escape(arm)}" for arm in arms)
    return f"<table><tr><th>figure{titles}<th>ratio (95 %)<th>verdict<th>bounds<th>margin</tr>{''.join(rows)}</table>"


def _interval(found: Interval | None) -> str:
    if found is None:
        return "-"
    ends = f" ({found.low:.3g} to {found.high:.3g})" if found.count > 1 else ""
    return f"{found.estimate:.3g}{ends}"


def _growths(judged: Judged) -> str:
    rows = [
        f"<tr><td>{escape(each.name)}<td>{escape(each.arm)}<td>{each.level:,.4g}<td>{_interval(each.per_hour)}"
        f"<td class={'broken' if each.verdict == 'grows' else each.verdict}>{each.verdict}<td>{escape(each.why)}</tr>"
        for each in judged.growths
    ]
    titles = "<tr><th>resource<th>arm<th>level<th>growth per hour (95 %)<th>verdict<th></tr>"
    return f"<table>{titles}{''.join(rows)}</table>" if rows else ""


def _rulings(judged: Judged) -> str:
    rows = [
        f"<tr><td>{escape(each.check.title)}<td>{escape(each.arm)}<td>{each.worst}<td>{each.runs}"
        f"<td class={'better' if each.holds else 'broken'}>{'holds' if each.holds else 'broken'}</tr>"
        for each in judged.rulings
        if each.runs
    ]
    return f"<table><tr><th>must not happen<th>arm<th>most in a run<th>runs<th></tr>{''.join(rows)}</table>"


def _charts(judged: Judged) -> Iterable[str]:
    usable = [run for run in judged.runs if run.phase == "A/B" and not run.void] or judged.runs
    arms = list(dict.fromkeys(run.arm for run in usable))
    names = sorted({name for run in usable for name in run.histograms})
    for name in names:
        lines = {arm: _distribution([run for run in usable if run.arm == arm], name) for arm in arms}
        title = f"{name.replace('_', ' ')}: distribution over all runs"
        yield chart(title, lines, x="percentile", y="ms", ticks=_ticks(lines.values()), log=True)
    for run in [next(run for run in reversed(usable) if run.arm == arm) for arm in arms]:
        for title, (unit, wanted) in SERIES.items():
            lines = {name: run.series[name] for name in wanted if name in run.series}
            if lines:
                yield chart(f"{title}, {run.arm}", lines, x="seconds", y=unit, marks=run.marks)
        maps = {name.removeprefix("map "): points for name, points in run.series.items() if name.startswith("map ")}
        if maps:
            yield chart(f"Bounded maps, {run.arm}", maps, x="seconds", y="entries")


def _distribution(runs: Sequence[Observation], name: str) -> Line:
    texts = [run.histograms[name] for run in runs if name in run.histograms]
    if not texts:
        return []
    whole = merged(texts)
    total = whole.get_total_count()
    return [
        (-math.log10(1 - percent / 100), whole.get_value_at_percentile(percent) / 1e3)
        for percent in PERCENTILES
        if total * (1 - percent / 100) >= 1
    ]


def _ticks(lines: Iterable[Line]) -> list[tuple[float, str]]:
    right = max((at for line in lines for at, _ in line), default=0.0)
    return [(at, text) for at, text in TICKS if at <= right + 1e-6]


def _runs(judged: Judged) -> str:
    keys = [each.figure.key for each in judged.findings]
    titles = "".join(f"<th>{escape(key)}" for key in keys)
    rows = []
    for run in judged.runs:
        numbers = "".join(f"<td>{run.values[key]:,.4g}" if key in run.values else "<td>-" for key in keys)
        busy = f"{run.saturation.cpu_share:.0%}, {run.saturation.loop_lag_p99_s * 1e3:.1f} ms" if run.saturation else ""
        text = "; ".join([run.void and f"void: {run.void}", *run.notes]).strip("; ")
        rows.append(f"<tr><td>{run.order} {run.phase} {escape(run.arm)}{numbers}<td>{busy}<td>{escape(text)}</tr>")
    head = f"<tr><th>run{titles}<th>clients: CPU, lag P99<th></tr>"
    return f"<details><summary>Every run</summary><table>{head}{''.join(rows)}</table></details>"


def _pretty(found: object) -> str:
    return msgspec.json.format(msgspec.json.encode(found), indent=2).decode()
