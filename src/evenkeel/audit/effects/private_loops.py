"""Event loops that serve one caller: `asyncio.run(work())` in a plain function of a job or a threaded handler.

What blocks there keeps nobody else waiting, unlike on the loop that serves requests. A loop that a program's main
function runs is no such loop: the server itself runs on it.
"""

from __future__ import annotations

from collections.abc import Sequence

from evenkeel.audit.effects.standing import Standing
from evenkeel.audit.effects.summary import Edge, Summary
from evenkeel.audit.model.index import Role

WORK: frozenset[Role] = frozenset({"handler", "websocket", "dependency", "task", "cron", "signal"})


def mark_private_loops(functions: Sequence[Standing], summaries: Sequence[Summary]) -> None:
    """Set `private_loop` on the async functions that nothing but such loops leads to. Needs the roles."""
    callers: dict[int, list[tuple[Standing, Edge]]] = {}
    for summary in summaries:
        for edge in summary.edges:
            if functions[edge.callee].is_async and functions[summary.id].kind != "test":
                callers.setdefault(edge.callee, []).append((functions[summary.id], edge))
    runners = {
        (caller.id, edge.callee) for found in callers.values() for caller, edge in found if _runs_loop(caller, edge)
    }
    changed = bool(runners)
    while changed:
        changed = False
        for callee, found in callers.items():
            info = functions[callee]
            if not info.private_loop and not info.entry and all(_is_private(c, callee, runners) for c, _ in found):
                info.private_loop = changed = True


def _runs_loop(caller: Standing, edge: Edge) -> bool:
    """A plain function that runs a coroutine to its end, and is itself part of some work."""
    return edge.own_loop and not caller.is_async and bool(caller.roles) and set(caller.roles) <= WORK


def _is_private(caller: Standing, callee: int, runners: set[tuple[int, int]]) -> bool:
    return caller.private_loop if caller.is_async else (caller.id, callee) in runners
