"""Stalls: calls of an async function during which the event loop stands still.

One stall a line: a file that is opened, read, and closed in one statement is one fault. A call that blocks belongs to
the async function nearest to it, because that is where it is mended; effects carry that already (`Effect.blocking`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from evenkeel.audit.model.effects import EffectKind
from evenkeel.audit.model.finding import Severity
from evenkeel.audit.model.once import first_time_regions, is_inside
from evenkeel.audit.model.view import CallView, FunctionView, Reach

NOT_WAITING = frozenset(
    {"directory", "look-up"}
)  # details of effects that cost next to nothing unless they are the caller's own
LIGHT = NOT_WAITING | {"entry"}  # of what a call does, the rest tells more
NON_BLOCKING_ARGUMENTS = frozenset({"False", "0", "0.0"})


class Stall(NamedTuple):
    """A call that blocks the loop, and the way from it to what blocks."""

    call: CallView
    reach: Reach
    partly: bool  # only some of the implementations that the call may reach block

    @property
    def certain(self) -> bool:
        """Whether every fact on the way was resolved."""
        return self.reach.effect.certain and self.call.link.certain and not self.partly


def stalls(function: FunctionView, kinds: tuple[EffectKind, ...]) -> Iterator[Stall]:
    """Calls of an async function that block the loop with an effect of these kinds, one a line, in order of lines."""
    if not function.is_async or function.info.private_loop:
        return
    reaching = function.calls_blocking(*kinds)
    first_time = first_time_regions(function.fact) if reaching else ()
    best: dict[int, Stall] = {}
    for call in reaching:
        if is_inside(call.fact.position, first_time) or _runs_elsewhere(call):
            continue
        stall = _stall(call, kinds)
        if stall is not None and (call.line not in best or _rank(stall) < _rank(best[call.line])):
            best[call.line] = stall
    opened = {_opens(each.call) for each in best.values() if each.call.link.implicit != "leave"}
    for line in sorted(best):
        if best[line].call.link.implicit != "leave" or best[line].call.fact.block not in opened:
            yield best[line]


def _stall(call: CallView, kinds: tuple[EffectKind, ...]) -> Stall | None:
    # What is awaited gives an awaitable: a library that has both forms under one name was called in the async one.
    blocking = [
        each for each in call.reaches(*kinds) if each.effect.blocking and not (call.fact.awaited and each.direct)
    ]
    if not blocking or _asks_not_to_wait(call, blocking[0]):
        return None
    waiting = [each for each in blocking if each.direct or each.effect.detail not in NOT_WAITING]
    heavy = [each for each in waiting if each.effect.detail not in LIGHT]
    return Stall(call, (heavy or waiting or blocking)[0], _is_partial(call, kinds))


def _rank(stall: Stall) -> tuple[bool, bool, bool, int, int]:
    """Which of several stalls on a line is reported: what surely waits, then the written, the surest, the nearest."""
    implied = stall.call.link.implicit in {"leave", "enter"}
    seldom = stall.reach.kept or (stall.reach.effect.detail in NOT_WAITING and not stall.reach.direct)
    return seldom, implied, not stall.certain, stall.reach.depth, stall.call.fact.position


def _is_partial(call: CallView, kinds: tuple[EffectKind, ...]) -> bool:
    if len(call.targets) < 2:
        return False
    return not all(
        any(each.effect.kind in kinds and each.effect.blocking and not each.spawned for each in target.reaches)
        for target in call.targets
    )


def _asks_not_to_wait(call: CallView, reach: Reach) -> bool:
    """`queue.get(block=False)`, `thread.join(timeout=0)`, `pool.shutdown(wait=False)`: returns at once."""
    if reach.effect.kind not in {"dequeue", "lock"} or not reach.direct:
        return False
    named = ("block", "blocking", "timeout", "wait")
    given = [call.argument(0), *(call.argument(-1, each) for each in named)]
    return any(each is not None and each.text in NON_BLOCKING_ARGUMENTS for each in given)


def _runs_elsewhere(call: CallView) -> bool:
    """A generator handed to a streaming response: the framework runs it later, a plain one in a worker thread."""
    return call.parent is not None and call.parent.has("stream-response")


def _opens(call: CallView) -> int:
    """The `with` block that a call opens or enters, or -1."""
    if call.link.implicit == "enter":
        return call.fact.block
    blocks = call.function.fact.blocks
    subject = (i for i, b in enumerate(blocks) if b.kind == "with" and b.subject and b.subject.call == call.index)
    return next(subject, -1)


def stall_severity(function: FunctionView) -> Severity:
    """HIGH in a request handler, LOW where only start-up leads, else MEDIUM."""
    by_role: dict[str, Severity] = {"handler": "HIGH", "startup": "LOW"}
    return by_role.get(function.role, "MEDIUM")


def whereabouts(stall: Stall) -> str:
    """The call, what it leads to when it blocks further down, and the async function it stands in."""
    call = stall.call
    how = "reading " if call.link.implicit == "read" else ""
    last = stall.reach.path[-1]
    down = (
        "" if stall.reach.direct else f", which leads to {last.function.rpartition('.')[2]} ({last.file}:{last.line}),"
    )
    name = call.function.fact.name
    if not call.function.fact.is_async:
        return f"In `{name}`, a plain `def` that runs on the event loop, {how}`{call.written}`{down}"
    return f"In async `{name}`, {how}`{call.written}`{down}"
