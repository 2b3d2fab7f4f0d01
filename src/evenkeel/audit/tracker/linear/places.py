"""Where the task goes: team, project and labels, found by what the user or the board says of them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any, Literal

import msgspec

from evenkeel.audit.model.profile import Board
from evenkeel.audit.tracker.linear.transport import Api
from evenkeel.kernel.errors import UsageError

Kind = Literal["id", "key", "name"]

PAGE, MAX_PAGES = 50, 10
_UUID = re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")
_KEY = re.compile(r"[A-Za-z][A-Za-z0-9]{0,9}")
_TEAM_URL = re.compile(r"https://linear\.app/(?P<workspace>[\w-]+)/team/(?P<key>[A-Za-z0-9]+)(?:[/?#].*)?")
_WORKSPACE_URL = re.compile(r"https://linear\.app/(?P<workspace>[\w-]+)")
_PLACEHOLDER = re.compile(r"\s*(?:\[.*\]|\{\{.*\}\}|<.*>|[-–—]*)\s*")
# `Epic 0`, `Epic0: Common Tasks`; never `Epic 01`, `Epic 0.5`, `Epic 10`.
_EPIC = re.compile(r"\s*Epic\s*0(?![\w.]|-\d)", re.IGNORECASE)
_OVER = frozenset({"completed", "canceled"})


class Team(msgspec.Struct, frozen=True, gc=False):
    """A team, and the state in which its new issues stand in the backlog ("": as the team's default says)."""

    id: str
    key: str
    name: str
    backlog: str = ""


class Labels(msgspec.Struct, frozen=True, gc=False):
    """Ids of labels that there are, and names of those that there are not."""

    ids: tuple[str, ...]
    missing: tuple[str, ...]


def team(api: Api, stated: str, board: Board | None) -> Team:
    """The team that the settings state, else the board. Raises UsageError when there is none, or more than one."""
    wanted = _stated(stated) or _on_board(board)
    if not wanted:
        raise UsageError(
            "No team is known for the task.",
            hint="Add --team with its key or address, or set tracker.team in the settings.",
        )
    data = api.call("teams", {"filter": {"or": [_team_filter(*each) for each in wanted]}, "first": PAGE})
    nodes: list[dict[str, Any]] = data["teams"]["nodes"]
    for kind, value in wanted:
        found = [each for each in nodes if each[kind].lower() == value.lower()]
        if len(found) > 1:
            keys = ", ".join(sorted(each["key"] for each in found))
            raise UsageError(f"Several teams are called {value}: {keys}.", hint="Give one of these keys with --team.")
        if found:
            _same_workspace(data["organization"]["urlKey"], kind, stated, board)
            return _team(found[0])
    told = ", ".join(f"{kind} {value}" for kind, value in wanted)
    raise UsageError(f"Linear knows no team with {told}.", hint="Check the board, or give the team's key with --team.")


def project(api: Api, team_id: str, stated: str, board: Board | None) -> tuple[str, str] | None:
    """Id and name of the project: as stated, else called Epic 0, else as the board titles its Epic 0; None without one.

    Raises UsageError when a stated project does not exist."""
    title = re.sub(r"^\s*Epic\s*0\s*[:–—-]?\s*", "", board.epic).strip() if board else ""
    names = [name for name in (stated, title) if name and not _UUID.fullmatch(name)]
    any_of: list[dict[str, Any]] = [{"name": {"startsWithIgnoreCase": "Epic"}}]
    any_of += [{"name": {"eqIgnoreCase": name}} for name in names]
    any_of += [{"id": {"eq": stated}}] if _UUID.fullmatch(stated) else []
    nodes = _projects(api, {"accessibleTeams": {"some": {"id": {"eq": team_id}}}, "or": any_of})
    if stated:
        found = [each for each in nodes if stated.lower() in {each["id"].lower(), each["name"].lower()}]
        if not found:
            raise UsageError(f"The team has no project {stated!r}.", hint="Mend tracker.project, or leave it out.")
        return _open_first(found)
    epics = [each for each in nodes if _EPIC.match(each["name"])]
    return _open_first(epics) or _open_first(each for each in nodes if title and each["name"].lower() == title.lower())


def labels(api: Api, team_id: str, names: Sequence[str]) -> Labels:
    """The labels of these names: the team's own before the workspace's; groups and retired ones are none."""
    wanted = {
        "and": [
            {"or": [{"team": {"id": {"eq": team_id}}}, {"team": {"null": True}}]},
            {"or": [{"name": {"eqIgnoreCase": name}} for name in names]},
        ]
    }
    nodes = api.call("labels", {"filter": wanted, "first": PAGE})["issueLabels"]["nodes"]
    usable = sorted(
        (each for each in nodes if not each["isGroup"] and not each["retiredAt"]), key=lambda each: not each["team"]
    )
    found: dict[str, str] = {}
    for each in usable:
        found.setdefault(each["name"].lower(), each["id"])
    return Labels(
        ids=tuple(found[name.lower()] for name in names if name.lower() in found),
        missing=tuple(name for name in names if name.lower() not in found),
    )


def _stated(value: str) -> list[tuple[Kind, str]]:
    if _PLACEHOLDER.fullmatch(value):
        return []
    address = _TEAM_URL.fullmatch(value)
    if address:
        return [("key", address["key"])]
    if value.startswith(("http://", "https://")):
        raise UsageError(
            f"{value} is no address of a team.", hint="It looks like https://linear.app/WORKSPACE/team/KEY."
        )
    if _UUID.fullmatch(value):
        return [("id", value)]
    return [*([("key", value)] if _KEY.fullmatch(value) else []), ("name", value)]  # type: ignore[list-item]


def _on_board(board: Board | None) -> list[tuple[Kind, str]]:
    """UUID, key, name, in that order. What a board calls Team ID mostly is a name, and discovery takes it for one."""
    if board is None:
        return []
    pairs: list[tuple[Kind, str]] = [("id", board.team_uuid), ("key", board.team_key), ("name", board.team_name)]
    return [
        (kind, value)
        for kind, value in pairs
        if not _PLACEHOLDER.fullmatch(value) and (kind != "id" or _UUID.fullmatch(value))
    ]


def _team_filter(kind: Kind, value: str) -> dict[str, Any]:
    return {"id": {"eq": value.lower()}} if kind == "id" else {kind: {"eqIgnoreCase": value}}


def _team(node: dict[str, Any]) -> Team:
    states = node["states"]["nodes"]
    return Team(node["id"], node["key"], node["name"], states[0]["id"] if states else "")


def _same_workspace(opened: str, kind: Kind, stated: str, board: Board | None) -> None:
    """Keys and names of teams are not unique among workspaces: a task must not land in another company's."""
    said = _TEAM_URL.fullmatch(stated) or _WORKSPACE_URL.match(board.workspace_url if board and not stated else "")
    if kind != "id" and said and said["workspace"].lower() != opened.lower():
        raise UsageError(
            f"The key opens the workspace {opened}, not {said['workspace']}.",
            hint="Use a key of that workspace, or give the team with --team.",
        )


def _projects(api: Api, wanted: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    after: str | None = None
    for _ in range(MAX_PAGES):
        page = api.call("projects", {"filter": wanted, "first": PAGE, "after": after})["projects"]
        found += page["nodes"]
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            break
    return found


def _open_first(nodes: Iterable[dict[str, Any]]) -> tuple[str, str] | None:
    ranked = sorted(nodes, key=lambda each: each["status"]["type"] in _OVER)
    return (ranked[0]["id"], ranked[0]["name"]) if ranked else None
