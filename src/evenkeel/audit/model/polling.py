"""Loops that ask the database again and again: a query and a sleep in one loop, until something has changed."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import NamedTuple

from evenkeel.audit.model.facts import Block
from evenkeel.audit.model.flow import ancestors
from evenkeel.audit.model.loop_data import flows_into, inside, loop_data, touches
from evenkeel.audit.model.loops import succeeds_once
from evenkeel.audit.model.on_purpose import NEAR
from evenkeel.audit.model.uses import places_of
from evenkeel.audit.model.view import CallView, FunctionView, Reach

SELDOM_S = 60.0  # a pause from here on is a schedule, not a poll
SCHEDULES = re.compile(r"hour|day|daily|week|minute|3600|86400|cleanup|cron|retention|prune|purge", re.IGNORECASE)
DRAINS = re.compile(r"^[A-Za-z_][\w.]*$")
EMPTY = re.compile(r"^not \w|is None|== 0|== \[\]|< 1\b")
WAITS_FOR_DATABASE = re.compile(
    r"connect|ping|ready|migrat|SELECT (?:1\b|now\(\)|current_timestamp)(?! FROM(?! DUAL\b))|wait_for_db", re.IGNORECASE
)
WAKES = re.compile(r"event|wake|hint|signal|notif|condition|changed", re.IGNORECASE)
STOPS = re.compile(r"stop|shut|exit|quit|cancel|clos|terminat|done|abort", re.IGNORECASE)  # wake to end, not to look
DEADLINES = re.compile(r"time\(\)|monotonic\(\)|deadline|timeout|perf_counter\(\)")
RECEIVES = re.compile(r"^(recv|receive)(_|$)")
BACKS_OFF = re.compile(r"\*\*|back_?off|fail|retr(y|ies)|attempt", re.IGNORECASE)
NUMBER = re.compile(r"[\d_]+(\.\d*)?|\.\d+")


class Poll(NamedTuple):
    """A loop that polls: the query, the pause, and what is known of its length."""

    query: CallView
    reach: Reach
    pause: CallView
    block: Block
    pause_s: float | None  # None: not written as a number


def polls(function: FunctionView) -> Iterator[Poll]:
    """Every loop of a function that queries and sleeps in turn."""
    for index, block in enumerate(function.fact.blocks):
        if block.kind not in {"while", "for"} or (block.is_async and block.kind == "for"):
            continue
        pause = _pause(function, index)
        if pause is None or _seconds(pause) == 0 or _is_retry(function, pause, index) or _is_drain(function, index):
            continue
        if succeeds_once(function.fact, index):
            continue  # whatever is asked, it is asked until an answer comes
        if _is_woken(function, index) or _is_fed(function, index) or _is_bounded_command(function, block):
            continue
        query = _query(function, index)
        if query is not None and not _reaches_out(function, query[0]) and not _empties(function, index, query[0]):
            yield Poll(query[0], query[1], pause, block, _seconds(pause))


def _inside_innermost(function: FunctionView, call: CallView, loop: int) -> bool:
    """Whether the loop is the nearest one around a call."""
    blocks = function.fact.blocks
    nearest = next((each for each in ancestors(blocks, call.fact.block) if blocks[each].kind in {"while", "for"}), -1)
    return nearest == loop


def _pause(function: FunctionView, loop: int) -> CallView | None:
    for call in function.calls_reaching("sleep"):
        if _inside_innermost(function, call, loop) and (call.has("sleep") or only_sleeps(call)):
            return call
    return None


def only_sleeps(call: CallView) -> bool:
    """A helper that does nothing but wait: `await self._pause()`."""
    return bool(call.targets) and bool(call.reaches("sleep")) and not call.reaches("db-read", "db-write", "network")


def _is_retry(function: FunctionView, pause: CallView, loop: int) -> bool:
    """A pause in an `except` block, or one that grows with each failure, waits before another attempt; it does not wait for
    a change."""
    length = pause.argument(0)
    if length is not None and BACKS_OFF.search(length.text):
        return True
    around = function.blocks_around(pause.fact.block, "except")
    return any(inside(function.fact, function.fact.blocks.index(each), loop) for each in around)


def _is_drain(function: FunctionView, loop: int) -> bool:
    """`while rows:` goes on as long as there is something to do; a `for` over elements pauses between them."""
    block = function.fact.blocks[loop]
    if block.kind == "for":
        names = loop_data(function.fact, loop)
        asking = function.calls_reaching("db-read", "db-write")
        calls = [each for each in asking if _inside_innermost(function, each, loop)]
        return any(each.reaches("db-read", "db-write") and flows_into(each, names) for each in calls)
    condition = block.subject
    if condition is None or not DRAINS.match(condition.text) or condition.kind == "constant":
        return False
    return any(
        condition.text in each.targets and inside(function.fact, each.block, loop) and each.value.call >= 0
        for each in function.fact.assignments
    )


def _is_woken(function: FunctionView, loop: int) -> bool:
    """Whether the loop also waits for somebody to wake it: then the poll is the fall-back that it should be."""
    waits = (each for each in function.calls if each.name == "wait" and inside(function.fact, each.fact.block, loop))
    return any(WAKES.search(each.holder) and not STOPS.search(each.holder) for each in waits)


def _is_fed(function: FunctionView, loop: int) -> bool:
    """Whether each pass takes a message that somebody sends: `data = await websocket.recv()`. It waits for that."""
    inside_loop = (each for each in function.calls if _inside_innermost(function, each, loop))
    return any(each.has("dequeue") or RECEIVES.match(each.name) for each in inside_loop)


def _is_bounded_command(function: FunctionView, block: Block) -> bool:
    """A command that waits once, and not beyond its deadline."""
    return function.role == "startup" and DEADLINES.search(_text(block)) is not None


def _query(function: FunctionView, loop: int) -> tuple[CallView, Reach] | None:
    for call in function.calls_reaching("db-read", "db-write", "network"):
        if not _inside_innermost(function, call, loop) and not inside(function.fact, call.fact.block, loop):
            continue
        if _ends_in(function, call) or _comes_after(function, call, loop) or _works_off(function, call, loop):
            continue
        reach = next((each for each in call.reaches("db-read") if not each.looped), None)
        if reach is None and _decides(function, call, loop):
            reach = next((each for each in call.reaches("db-write") if not each.looped), None)
            reach = reach or (_taken(function, call, loop) if not call.targets else None)
        if reach is not None and not WAITS_FOR_DATABASE.search(f"{call.name} {' '.join(call.query)}"):
            return call, reach
    return None


def _ends_in(function: FunctionView, call: CallView) -> bool:
    """Whether the call belongs to how the loop ends: what it does before it raises, it does once."""
    block = function.fact.blocks[call.fact.block]
    raises = any(each.kind == "raise" and each.block == call.fact.block for each in function.fact.exits)
    return block.kind in {"if", "else"} and block.exits and raises


def _works_off(function: FunctionView, call: CallView, loop: int) -> bool:
    """Whether the call is made for each of the elements that a pass has gathered in memory: work, and no question."""
    blocks = function.fact.blocks
    inner = (each for each in ancestors(blocks, call.fact.block) if blocks[each].kind == "for" and each != loop)
    return any(
        inside(function.fact, each, loop)
        and _gathers(function, blocks[each], loop)
        and flows_into(call, loop_data(function.fact, each))
        for each in inner
    )


def _gathers(function: FunctionView, block: Block, loop: int) -> bool:
    """Whether what a block goes through is a list that the loop makes anew: `done = []`, `done = [key for key in active]`."""
    given = [
        each.value.kind
        for each in function.fact.assignments
        if _text(block) in each.targets and inside(function.fact, each.block, loop)
    ]
    return bool(given) and set(given) <= {"list", "set", "dict", "comprehension"}


def _comes_after(function: FunctionView, call: CallView, loop: int) -> bool:
    """Whether every pause goes on with the next pass before the call: `if task is None: sleep(5); continue`, then the work."""
    pauses = [
        function.fact.blocks[each.fact.block]
        for each in function.calls_reaching("sleep")
        if _inside_innermost(function, each, loop) and (each.has("sleep") or only_sleeps(each))
    ]
    asking = [each for each in pauses if each.kind != "except"]
    return bool(asking) and all(b.kind == "if" and b.exits and call.fact.position > b.end for b in asking)


def _taken(function: FunctionView, call: CallView, loop: int) -> Reach | None:
    """A lock in Redis that the loop waits for, `set(name, token, nx=True)`, `setnx(name, token)`: it ends with it. Who goes on
    to look whether the holder still lives elects a leader."""
    given = {name for each in function.fact.assignments if each.value.call == call.index for name in each.targets}
    ends = [function.fact.blocks[loop], *(b for i, b in enumerate(function.fact.blocks) if _leaves(function, i))]
    if not any(call.name in _text(each) or given.intersection(_names(each)) for each in ends):
        return None
    only_new = any(each.keyword == "nx" and each.value.text == "True" for each in call.fact.arguments)
    if not only_new and call.name != "setnx":
        return None
    return next((each for each in call.reaches("network") if each.effect.detail == "redis" and each.direct), None)


def _decides(function: FunctionView, call: CallView, loop: int) -> bool:
    """Whether the loop goes on until the call succeeds: `if await self.try_lock(name): return`."""
    given = {name for each in function.fact.assignments if each.value.call == call.index for name in each.targets}
    for number, block in enumerate(function.fact.blocks):
        if block.kind not in {"if", "while"} or block.subject is None or not inside(function.fact, number, loop):
            continue
        own = call.fact.block in {block.parent, number} and call.name in block.subject.text
        if (block.exits or block.kind == "while") and (own or given.intersection(_names(block))):
            return True
    return False


def _names(block: Block) -> set[str]:
    subject = block.subject
    return set(subject.names or (subject.text,)) if subject is not None else set()


def _reaches_out(function: FunctionView, query: CallView) -> bool:
    """A background call that goes out over the network sooner than to the database is about the network."""
    sent = [each for each in query.reaches("network") if each.effect.detail not in NEAR]
    return (
        function.role != "handler"
        and bool(sent)
        and len(sent[0].path) < len(query.reaches("db-read", "db-write")[0].path)
    )


def _empties(function: FunctionView, loop: int, query: CallView) -> bool:
    """Whether the loop works through what it finds until nothing is left: `if not rows: break`, and `rows` are used."""
    made = {query.index}
    for index, call in enumerate(function.fact.calls):
        if call.receiver in made:
            made.add(index)
    found: set[str] = set()
    for each in function.fact.assignments:
        derived = each.value.call in made or touches(each.value.names, frozenset(found))
        if derived and inside(function.fact, each.block, loop):
            found.update(each.targets)
    leaves = [
        block
        for number, block in enumerate(function.fact.blocks)
        if _leaves(function, number) and inside(function.fact, number, loop) and EMPTY.search(_text(block))
    ]
    tested = {name.partition(".")[0] for block in leaves for name in _names(block)} & found
    around = function.fact.blocks[loop]
    used = [place for name in tested for place in places_of(function.fact, name) if around.start <= place <= around.end]
    leaving = {number for number, block in enumerate(function.fact.blocks) if block in leaves}
    writes = (
        each
        for each in function.calls
        if inside(function.fact, each.fact.block, loop)
        and not leaving.intersection(ancestors(function.fact.blocks, each.fact.block))  # what is taken when it is free
        and each.fact.position > query.fact.position
        and each.link.implicit not in {"leave", "enter"}
    )
    return bool(tested) and (len(used) > len(leaves) or any(each.reaches("db-write", "commit") for each in writes))


def _leaves(function: FunctionView, number: int) -> bool:
    """Whether a branch ends the loop, by break or return."""
    block = function.fact.blocks[number]
    returns = any(each.block == number and each.kind == "return" for each in function.fact.exits)
    return block.kind == "if" and (block.breaks or (block.exits and returns))


def _text(block: Block) -> str:
    return block.subject.text if block.subject is not None else ""


def _seconds(pause: CallView) -> float | None:
    value = pause.argument(0)
    factors = [each.strip() for each in value.text.replace("_", "").split("*")] if value is not None else [""]
    if not all(NUMBER.fullmatch(each) for each in factors):
        return None
    return math.prod(float(each) for each in factors)


def is_schedule(poll: Poll) -> bool:
    """Whether the loop runs seldom: a pause of a minute or more, or one that is named after hours and days."""
    if poll.pause_s is not None:
        return poll.pause_s >= SELDOM_S
    value = poll.pause.argument(0)
    named = f"{value.text if value is not None else ''} {poll.query.function.fact.name} {poll.query.fact.callee}"
    return bool(SCHEDULES.search(named))
