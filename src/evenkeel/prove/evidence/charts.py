"""Charts as inline SVG: no script, no font, no address. Pure: numbers in, text out."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from html import escape

from evenkeel.prove.measure.values import Mark

WIDTH, HEIGHT, LEFT, BOTTOM, TOP = 720, 240, 64, 34, 14
COLOURS = ("#0b7285", "#d9480f", "#5f3dc4", "#2b8a3e", "#a61e4d", "#495057", "#e67700", "#1864ab")
Line = Sequence[tuple[float, float]]
Scale = Callable[[float], float]
MOST_POINTS = 600


def chart(
    title: str,
    lines: Mapping[str, Line],
    *,
    x: str,
    y: str,
    marks: Sequence[Mark] = (),
    ticks: Sequence[tuple[float, str]] = (),
    log: bool = False,
) -> str:
    """Lines by name on common axes. `ticks` label the x axis (default: five round numbers); `log`: the y axis."""
    points = [point for line in lines.values() for point in line]
    if not points:
        return ""
    right = max(1e-9, *(at for at, _ in points))
    low = min(at for at, _ in points)
    top = max(1e-9, *(value for _, value in points)) * (1.4 if log else 1.08)
    floor = max(top / 1e6, min((value for _, value in points if value > 0), default=1e-3) / 1.4) if log else 0.0

    def across(at: float) -> float:
        return LEFT + (WIDTH - LEFT - 10) * (at - low) / max(1e-9, right - low)

    def up(value: float) -> float:
        part = math.log(max(value, floor) / floor) / math.log(top / floor) if log else max(0.0, value) / top
        return TOP + (HEIGHT - TOP - BOTTOM) * (1 - part)

    parts = [
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}">',
        *_grid(up, _log_steps(floor, top) if log else _steps(top)),
        *_labels(across, ticks or [(at, f"{at:g}") for at in _steps(right) if at >= low]),
        *_marks(across, [mark for mark in marks if low <= mark.at <= right]),
        *(_line(line, across, up, COLOURS[number % len(COLOURS)]) for number, line in enumerate(lines.values())),
        f'<text x="{WIDTH - 10}" y="{HEIGHT - 4}" class="u" text-anchor="end">{escape(x)}</text>',
        f'<text x="4" y="{TOP - 3}" class="u">{escape(y)}</text></svg>',
    ]
    return f"<figure><figcaption>{escape(title)} {_legend(list(lines))}</figcaption>{''.join(parts)}</figure>"


def _line(line: Line, across: Scale, up: Scale, colour: str) -> str:
    step = max(1, len(line) // MOST_POINTS)
    points = " ".join(f"{across(at):.1f},{up(value):.1f}" for at, value in line[::step])
    return f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.6"/>'


def _grid(up: Scale, steps: Sequence[float]) -> list[str]:
    return [
        f'<line x1="{LEFT}" x2="{WIDTH - 10}" y1="{up(at):.1f}" y2="{up(at):.1f}" class="g"/>'
        f'<text x="{LEFT - 6}" y="{up(at) + 4:.1f}" text-anchor="end">{_number(at)}</text>'
        for at in steps
    ]


def _labels(across: Scale, ticks: Sequence[tuple[float, str]]) -> list[str]:
    return [
        f'<text x="{across(at):.1f}" y="{HEIGHT - 18}" text-anchor="middle">{escape(text)}</text>' for at, text in ticks
    ]


def _marks(across: Scale, marks: Sequence[Mark]) -> list[str]:
    return [
        f'<line x1="{across(mark.at):.1f}" x2="{across(mark.at):.1f}" y1="{TOP}" y2="{HEIGHT - BOTTOM}" class="m">'
        f"<title>{escape(mark.what)} at {mark.at:.1f} s</title></line>"
        for mark in marks
    ]


def _legend(names: Sequence[str]) -> str:
    return " ".join(
        f'<span style="color:{COLOURS[number % len(COLOURS)]}">&#9632; {escape(name)}</span>'
        for number, name in enumerate(names)
    )


def _steps(top: float) -> list[float]:
    raw = top / 5
    size = 10.0 ** math.floor(math.log10(raw))
    step = next(size * each for each in (1, 2, 5, 10) if size * each >= raw)
    return [step * number for number in range(int(top / step) + 1)]


def _log_steps(low: float, high: float) -> list[float]:
    first, last = math.ceil(math.log10(low)), math.floor(math.log10(high))
    return [10.0**power for power in range(first, last + 1)] or [low, high]


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
