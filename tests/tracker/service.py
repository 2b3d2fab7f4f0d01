"""Linear on this machine: an HTTP server that executes `linear.graphql` over what a test puts into it."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from graphql import GraphQLResolveInfo, GraphQLSchema, build_schema, graphql_sync

SDL = Path(__file__).parent / "linear.graphql"
KEY = "lin_api_for_tests"
Node = dict[str, Any]
Info = GraphQLResolveInfo[Any]
Answer = tuple[int, dict[str, str], bytes]


@dataclass
class Workspace:
    """What Linear holds, every request it was sent, and how a test makes it fail."""

    url_key: str = "harbour"
    teams: list[Node] = field(default_factory=list)
    projects: list[Node] = field(default_factory=list)
    labels: list[Node] = field(default_factory=list)
    issues: list[Node] = field(default_factory=list)
    requests: list[tuple[dict[str, str], str, Node]] = field(default_factory=list)  # headers, operation, variables
    fault: Callable[[str], Answer | None] = lambda _: None  # operation -> what is answered in place of the truth
    after_create: Callable[[Node], Any] = lambda payload: payload
    slow_s: float = 0.0

    def operations(self) -> list[str]:
        return [name for _, name, _ in self.requests]

    def variables(self, operation: str) -> Node:
        """Of the last request of that name."""
        return next(values for _, name, values in reversed(self.requests) if name == operation)


def filled() -> Workspace:
    """A team with a backlog, an Epic 0 among its neighbours, and three labels."""
    team = {"id": "0b9e6c1e-7a51-4d0e-9a77-5a1f0c2d3e4f", "key": "HRB", "name": "Harbour",
            "states": [{"id": "s-todo", "name": "Todo", "type": "unstarted"},
                       {"id": "s-backlog", "name": "Backlog", "type": "backlog"}]}  # fmt: skip
    other = {"id": "11111111-7a51-4d0e-9a77-5a1f0c2d3e4f", "key": "TG", "name": "Tide Gate", "states": []}
    names = ["Epic 01: Not this", "Epic 10: Nor this", "Epic 0.5: Nor this", "Epic 0: Common Tasks"]
    projects = [
        {"id": f"p{number}", "name": name, "status": {"type": "started"}, "accessibleTeams": [team]}
        for number, name in enumerate(names)
    ]
    labels = [
        {"id": "l-group", "name": "audit", "isGroup": True, "retiredAt": None, "team": team},
        {"id": "l-space", "name": "Performance", "isGroup": False, "retiredAt": None, "team": None},
        {"id": "l-team", "name": "performance", "isGroup": False, "retiredAt": None, "team": team},
        {"id": "l-old", "name": "refactoring", "isGroup": False, "retiredAt": "2025-01-01T00:00:00Z", "team": team},
        {"id": "l-audit", "name": "Audit", "isGroup": False, "retiredAt": None, "team": None},
        {"id": "l-foreign", "name": "refactoring", "isGroup": False, "retiredAt": None, "team": other},
    ]
    return Workspace(teams=[team, other], projects=projects, labels=labels)


@cache
def sdl() -> GraphQLSchema:
    """Our part of Linear's schema."""
    return build_schema(SDL.read_text(encoding="utf-8"))


@contextmanager
def running(workspace: Workspace) -> Iterator[str]:
    """The address of a server that answers from the workspace."""
    schema = sdl()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            status, headers, data = _answer(workspace, schema, dict(self.headers), body)
            try:
                self.send_response(status)
                for name, value in {"content-type": "application/json", **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(data)
            except OSError:
                pass  # the client has given up

        def log_message(self, *_: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/graphql"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _answer(workspace: Workspace, schema: GraphQLSchema, headers: dict[str, str], body: Node) -> Answer:
    operation = body["query"].split("(")[0].split()[-1]
    workspace.requests.append((headers, operation, body["variables"]))
    fault = workspace.fault(operation)
    if fault:
        return fault
    if headers.get("Authorization") != KEY:
        error = {"message": "Authentication required", "extensions": {"type": "authentication error"}}
        return 401, {}, json.dumps({"errors": [error]}).encode()
    result = graphql_sync(schema, body["query"], Root(workspace), variable_values=body["variables"])
    time.sleep(workspace.slow_s)
    return 200, {}, json.dumps(result.formatted).encode()


class Root:
    """The resolvers."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    def organization(self, info: Info) -> Node:
        return {"urlKey": self._workspace.url_key}

    def teams(self, info: Info, **arguments: Any) -> Node:
        return _page([_team(each) for each in _kept(self._workspace.teams, arguments)], arguments)

    def projects(self, info: Info, **arguments: Any) -> Node:
        return _page(_kept(self._workspace.projects, arguments), arguments)

    def issueLabels(self, info: Info, **arguments: Any) -> Node:
        return _page(_kept(self._workspace.labels, arguments), arguments)

    def issues(self, info: Info, **arguments: Any) -> Node:
        return _page(_kept(self._workspace.issues, arguments), arguments)

    def issueCreate(self, info: Info, **arguments: Any) -> Any:
        input_ = arguments["input"]
        if any(each["id"] == input_["id"] for each in self._workspace.issues):
            raise ValueError("an issue of this id exists")
        team = next(each for each in self._workspace.teams if each["id"] == input_["teamId"])
        number = len(self._workspace.issues) + 1
        issue = {**input_, "team": team, "identifier": f"{team['key']}-{number}", "trashed": None,
                 "url": f"https://linear.app/{self._workspace.url_key}/issue/{team['key']}-{number}",
                 "project": next((p for p in self._workspace.projects if p["id"] == input_.get("projectId")), None)}  # fmt: skip
        self._workspace.issues.append(issue)
        return self._workspace.after_create({"success": True, "lastSyncId": 1.0, "issue": issue})

    def issueUpdate(self, info: Info, **arguments: Any) -> Node:
        issue = next(each for each in self._workspace.issues if each["id"] == arguments["id"])
        changes = dict(arguments["input"])
        added = changes.pop("addedLabelIds", [])
        issue.update(changes, labelIds=list(dict.fromkeys([*issue.get("labelIds", []), *added])))
        return {"success": True, "lastSyncId": 2.0, "issue": issue}

    def issueLabelCreate(self, info: Info, **arguments: Any) -> Node:
        label = {
            **arguments["input"],
            "id": f"made-{arguments['input']['name']}",
            "isGroup": False,
            "retiredAt": None,
            "team": None,
        }
        self._workspace.labels.append(label)
        return {"success": True, "lastSyncId": 3.0, "issueLabel": label}


def _team(node: Node) -> Node:
    def states(info: Info, **arguments: Any) -> Node:
        return {"nodes": _kept(node["states"], arguments)}

    return {**node, "states": states}


def _page(nodes: list[Node], arguments: Node) -> Node:
    start = int(arguments.get("after") or 0)
    stop = start + (arguments.get("first") or 50)
    return {"nodes": nodes[start:stop], "pageInfo": {"hasNextPage": stop < len(nodes), "endCursor": str(stop)}}


def _kept(nodes: list[Node], arguments: Node) -> list[Node]:
    return [each for each in nodes if _fits(each, arguments.get("filter") or {})]


def _fits(node: Any, wanted: Node) -> bool:
    return all(_holds(node, name, value) for name, value in wanted.items())


def _holds(node: Any, name: str, value: Any) -> bool:
    match name:
        case "and":
            return all(_fits(node, each) for each in value)
        case "or":
            return any(_fits(node, each) for each in value)
        case "some":
            return any(_fits(each, value) for each in node)
        case "null":
            return bool((node is None) == value)
        case "eq":
            return bool(node == value)
        case "eqIgnoreCase":
            return bool((node or "").lower() == value.lower())
        case "startsWithIgnoreCase":
            return bool((node or "").lower().startswith(value.lower()))
        case "contains":
            return bool(value in (node or ""))
        case _:
            return node is not None and _fits(node.get(name), value)
