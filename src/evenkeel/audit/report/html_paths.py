"""The picture of hot paths: a tree of calls, entry points on the left, the worst findings on the right, as SVG.

Paths that begin alike share their boxes. All text is escaped; colour comes from the page's style, so it follows the
reader's light or dark.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from evenkeel.audit.model.finding import Finding, Step
from evenkeel.audit.model.names import local_name
from evenkeel.audit.model.result import worst_varied
from evenkeel.audit.report.html_text import escaped
from evenkeel.audit.report.material import Material, way

MOST = 8  # findings that are drawn
LONGEST = 6  # boxes of one path; of a longer one the middle is left out
COLUMN, ROW = 212, 58  # pixels
WIDTH, HEIGHT = 184, 42
LETTERS = {"name": 22, "where": 26}  # of each line in a box


@dataclass(slots=True)
class _Node:
    """A box: two lines of text, what it leads to, and where it stands."""

    title: str
    place: str
    depth: int
    finding: Finding | None = None
    children: dict[tuple[str, str], _Node] = field(default_factory=dict)
    row: float = 0.0


def picture(material: Material) -> str:
    """The SVG; "" when nothing was found on a hot path."""
    hot = worst_varied((each for each in material.result.findings if each.hot_path), MOST)
    if not hot:
        return ""
    roots = _tree(hot)
    rows = _placed(roots, 0)
    nodes = list(_all(roots))
    width = (max(each.depth for each in nodes) + 1) * COLUMN
    shapes = "".join([*_lines(nodes), *(_box(each, material) for each in nodes)])
    return f'<svg class="tree" width="{width}" height="{rows * ROW}" viewBox="0 0 {width} {rows * ROW}">{shapes}</svg>'


def _tree(findings: Iterable[Finding]) -> list[_Node]:
    roots: dict[tuple[str, str], _Node] = {}
    for finding in findings:
        level, depth = roots, 0
        for each in _steps(finding):
            key = (each.file, each.function)
            node = level.setdefault(key, _Node(_name(each), f"{each.file}:{each.line}", depth))
            level, depth = node.children, depth + 1
        level[finding.fingerprint, ""] = _Node(finding.rule, f"{finding.file}:{finding.line}", depth, finding)
    return list(roots.values())


def _steps(finding: Finding) -> list[Step]:
    """Every function on the way once, the middle of a long way as one box that says so."""
    steps = list(way(finding)) or [Step(finding.file, finding.line, finding.function)]
    functions: list[Step] = []
    for each in steps:
        if not functions or functions[-1].function != each.function:
            functions.append(each)
    if len(functions) <= LONGEST:
        return functions
    left = len(functions) - LONGEST + 1
    middle = Step("", 0, f"… {left}")
    return [*functions[:2], middle, *functions[-(LONGEST - 3) :]]


def _name(step: Step) -> str:
    return local_name(step.function, step.file) if step.file else step.function


def _placed(nodes: Iterable[_Node], row: int) -> int:
    """Sets the rows: a finding takes one, a box stands in the middle of those it leads to. Answers the next free row."""
    for each in nodes:
        first = row
        row = _placed(each.children.values(), row) if each.children else row + 1
        each.row = (first + row - 1) / 2
    return row


def _all(nodes: Iterable[_Node]) -> Iterator[_Node]:
    for each in nodes:
        yield each
        yield from _all(each.children.values())


def _lines(nodes: Iterable[_Node]) -> Iterator[str]:
    for node in nodes:
        for child in node.children.values():
            x, y, end, to = node.depth * COLUMN + WIDTH, _middle(node), child.depth * COLUMN, _middle(child)
            yield f'<path d="M{x} {y}C{x + 14} {y} {end - 14} {to} {end} {to}"/>'


def _middle(node: _Node) -> int:
    return round(node.row * ROW + HEIGHT / 2) + 4


def _box(node: _Node, material: Material) -> str:
    x, y = node.depth * COLUMN, _middle(node) - HEIGHT // 2
    kind = node.finding.severity.lower() if node.finding else "step"
    text = _line(node.title, x + 8, y + 17, "name") + (
        _line(node.place, x + 8, y + 33, "where") if node.place != ":0" else ""
    )
    full = escaped(f"{node.title} {node.place if node.place != ':0' else ''}")
    drawn = f'<g class="{kind}"><title>{full}</title><rect x="{x}" y="{y}" width="{WIDTH}" height="{HEIGHT}" rx="6"/>{text}</g>'
    if node.finding is None:
        return drawn
    label = escaped(f"{material.say(node.finding.severity)} {node.title} {node.place}")
    return f'<a href="#f-{escaped(node.finding.fingerprint)}" aria-label="{label}">{drawn}</a>'


def _line(text: str, x: int, y: int, kind: str) -> str:
    most = LETTERS[kind]
    if len(text) > most:
        text = f"…{text[1 - most :]}" if kind == "where" else f"{text[: most - 1]}…"
    return f'<text class="{kind}" x="{x}" y="{y}">{escaped(text)}</text>'
