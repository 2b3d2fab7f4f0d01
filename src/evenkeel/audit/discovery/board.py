"""The tracker's coordinates: environment_state.json, then tools_config.md, then kanban_board.md, in that order.

Boards come in three generations and several variants, often half filled in. A value counts only when it is not a
placeholder; the first file that gives one wins.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from evenkeel.audit.discovery.markdown import clean, filled, lines
from evenkeel.audit.discovery.python_manifests import at
from evenkeel.audit.discovery.tree import is_sample, line_of
from evenkeel.audit.model.profile import Board, Source

if TYPE_CHECKING:
    from evenkeel.audit.discovery.tree import Tree

_FIELDS = {
    "team id": "team_id",
    "team uuid": "team_uuid",
    "team key": "team_key",
    "team name": "team_name",
    "team": "team_name",
    "workspace url": "workspace_url",
    "workspace": "workspace",
    "provider": "provider",
    "task provider": "provider",
    "status": "status",
    "fallback": "fallback",
    "repository": "repository",
    "project number": "project_number",
}
_BOARD_FIELDS = frozenset(_FIELDS.values()) - {"status", "fallback", "repository", "project_number"}
_UUID = re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")
_KEY = re.compile(r"[A-Z][A-Z0-9]{0,6}")
_PAIR = re.compile(r"^\s*[-*+]?\s*\**(?P<name>[A-Za-z ]{4,20}?)\**\s*:\s*\**\s*(?P<value>.+?)\s*$")
_TEAM_URL = re.compile(
    r"https://linear\.app/(?P<workspace>[\w-]+)/(?:team/(?P<key>[A-Za-z0-9]+)|issue/(?P<issue>[A-Z][A-Z0-9]*)-\d+)"
)
_WORKSPACE_URL = re.compile(r"https://linear\.app/[\w-]+")
_EPIC = re.compile(r"(?:\*\*|#+ *)\W*(?P<epic>Epic\s*0\s*[:–—-]\s*[^*\]\n]+)")


@dataclass(frozen=True, slots=True)
class Fact:
    """One coordinate and where it stands."""

    name: str
    value: str
    source: Source


def find(tree: Tree) -> Board | None:
    """The board's coordinates; None when no file gives any."""
    facts = [*_environment_state(tree), *_tools_config(tree), *_kanban_board(tree)]
    values: dict[str, str] = {}
    sources: list[Source] = []
    for fact in facts:
        if fact.name not in values:
            values[fact.name] = fact.value
            sources.append(fact.source)
    if not values:
        return None
    chain = values.pop("researcher", "") if "research" not in values else values.pop("research")
    research = tuple(each for each in re.split(r"\s*(?:->|→|,|>)\s*", chain) if each)
    return Board(**_completed(values), research=research, sources=tuple(dict.fromkeys(sources)))


def _completed(values: dict[str, str]) -> dict[str, str]:
    """What follows from other values: the row called Team ID mostly holds a name, and a URL holds the key."""
    known = dict(values)
    stated = known.get("team_id", "")
    if _UUID.fullmatch(stated):
        known.setdefault("team_uuid", stated)
    elif stated:
        known.setdefault("team_name", stated)
        if _KEY.fullmatch(stated):
            known.setdefault("team_key", stated)
    for derived in ("url_key", "issue_key"):
        if derived in known:
            known.setdefault("team_key", known[derived].upper())
    workspace = known.get("workspace", "")
    if re.fullmatch(r"[\w-]+", workspace):
        known.setdefault("workspace_url", f"https://linear.app/{workspace}")
    known["provider"] = known.get("provider", "").lower()
    return {name: value for name, value in known.items() if name in Board.__struct_fields__}


def _environment_state(tree: Tree) -> Iterator[Fact]:
    for path in tree.named("environment_state.json"):
        if not path.endswith(".hex-skills/environment_state.json"):
            continue
        text = tree.text(path)
        try:
            data = json.loads(text)
        except (ValueError, RecursionError) as error:
            tree.note(path, f"is not valid JSON ({error}); the tracker's settings in it are unknown")
            continue
        tasks, research = at(data, "task_management"), at(data, "research")
        pairs = {
            "provider": at(tasks, "provider"),
            "status": at(tasks, "status"),
            "fallback": at(tasks, "fallback"),
            "team_id": at(tasks, "linear", "team_id"),
            "repository": at(tasks, "github", "repository"),
            "project_number": at(tasks, "github", "project_number"),
            "research": " -> ".join(map(str, at(research, "fallback_chain") or [at(research, "provider") or ""])),
        }
        for name, value in pairs.items():
            if stated := filled(str(value or "")):
                yield Fact(name, stated, Source(path, line_of(text, f'"{name}"') or line_of(text, '"task_management"')))


def _tools_config(tree: Tree) -> Iterator[Fact]:
    for path in tree.named("tools_config.md"):
        for line in lines(tree.text(path)) if not is_sample(path) else ():
            name, value = (clean(line.cells[0]).lower(), filled(line.cells[1])) if len(line.cells) > 1 else ("", "")
            if not value:
                continue
            if "task" in line.under and name in _FIELDS:
                yield Fact(_FIELDS[name], value, Source(path, line.number))
            elif "research" in line.under and name in {"provider", "fallback chain"}:
                yield Fact("research" if name == "fallback chain" else "researcher", value, Source(path, line.number))


def _kanban_board(tree: Tree) -> Iterator[Fact]:
    for path in tree.named("kanban_board.md"):
        for line in lines(tree.text(path)) if not is_sample(path) else ():
            source = Source(path, line.number)
            name, value = _pair(line.text, line.cells)
            if value and _FIELDS.get(name) in _BOARD_FIELDS:
                yield Fact(_FIELDS[name], value, source)
            yield from _from_urls(line.text, source)
            if epic := _EPIC.search(line.text):
                yield Fact("epic", clean(epic["epic"]), source)


def _pair(text: str, cells: tuple[str, ...]) -> tuple[str, str]:
    """Name and value of a table's row or of a line `- **Team Key:** HRB`."""
    if len(cells) > 1:
        return clean(cells[0]).lower(), filled(cells[1])
    match = _PAIR.match(text)
    return (match["name"].strip().lower(), filled(match["value"])) if match else ("", "")


def _from_urls(text: str, source: Source) -> Iterator[Fact]:
    if workspace := _WORKSPACE_URL.search(text):
        yield Fact("workspace_url", workspace[0], source)
    if team := _TEAM_URL.search(text):
        yield Fact("url_key" if team["key"] else "issue_key", team["key"] or team["issue"], source)
