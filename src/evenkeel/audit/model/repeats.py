"""Database accesses that a loop multiplies: what the rules about queries, writes and inserts in loops share."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from evenkeel.audit.model.accesses import KINDS, Access, access
from evenkeel.audit.model.answers import once_a_function
from evenkeel.audit.model.embedded import is_in_process
from evenkeel.audit.model.facts import Block
from evenkeel.audit.model.finding import Finding
from evenkeel.audit.model.loop_data import flows_from_receiver, flows_into, inside, loop_data, touches
from evenkeel.audit.model.loops import Repetition, leaves_after, loop_kind, loops_of, per_element
from evenkeel.audit.model.new_rows import hands_over_new
from evenkeel.audit.model.on_purpose import NEAR, own_unit, told_outside
from evenkeel.audit.model.seldom import kept_by_hand, runs_seldom
from evenkeel.audit.model.sql import is_sql, table_hole
from evenkeel.audit.model.standing_alone import stands_alone
from evenkeel.audit.model.view import CallView, FunctionView

EVERY_SO_MANY = re.compile(r"%|\blen\(|>=|batch|chunk|count|size", re.IGNORECASE)
MANY_AT_ONCE = re.compile(
    r"\bin_\(\s*|__in\s*=\s*|\bANY\s*\(\s*|\bunnest\s*\(\s*|\bany_\(\s*|\bIN\s*\(\s*|\$in\b[^a-z]*|overlap\(\s*",
    re.IGNORECASE,
)
WRITTEN = frozenset({"insert", "update", "delete", "save"})


class Repeated(NamedTuple):
    """A call that a loop runs once per element, and what it does to the database."""

    call: CallView
    access: Access
    repetition: Repetition
    in_process: bool = False  # the database is a library: no way over a network is multiplied

    @property
    def loop_text(self) -> str:
        """The loop as a reader knows it again: `for row in rows`."""
        return loop_text(self.repetition.block)

    @property
    def makes_new(self) -> bool:
        """Whether an object that is made here is handed over to be written: `repository.save(User(...))`."""
        return hands_over_new(self.call)

    @property
    def open_question(self) -> str:
        """The fact that would settle whether the loop is at fault; "" when nothing is open."""
        return _open_question(self)


def distinct_lines(found: Iterator[Finding]) -> Iterator[Finding]:
    """The first finding on each line: one fault is reported once."""
    lines: set[int] = set()
    for each in found:
        if each.line not in lines:
            lines.add(each.line)
            yield each


def loop_text(block: Block) -> str:
    """`for row in rows`, `while node`; long subjects are cut."""
    subject = block.subject.text if block.subject is not None else ""
    subject = subject if len(subject) <= 60 else f"{subject[:57]}..."
    return f"while {subject}" if block.kind == "while" else f"for {', '.join(block.targets)} in {subject}"


@once_a_function
def repeated_accesses(function: FunctionView) -> Iterator[Repeated]:
    """Every call of a function that reaches the database once per element of a loop, in evaluation order.

    A database in the process itself is none that has to be reached; there only writes that one `executemany` makes count."""
    for call in function.calls_repeating(*KINDS):
        if call.link.implicit in {"inject", "enter", "leave"}:
            continue
        repetition = per_element(call)
        if (
            repetition is None
            or asks_for_many(call, frozenset(repetition.block.targets))
            or _asks_a_batch(call, repetition)
            or _names_the_table(call, repetition)
            or runs_seldom(call, repetition.loop, repetition.block.targets)
            or _is_one_of_many_workers(call, repetition)
        ):
            continue
        shared = not flows_from_receiver(call, repetition.names)
        gathered = call.link.mode == "gather" or (call.link.mode == "spawn" and _in_comprehension(call))
        found = access(call, spawned=gathered, shared=shared)
        if found is None:
            continue
        near = is_in_process(call, found.reach)
        if not near or (found.kind in WRITTEN and found.reach.direct and call.fact.discarded):
            yield Repeated(call, found, repetition, near)


def _asks_a_batch(call: CallView, repetition: Repetition) -> bool:
    """Whether what the loop gives are queries themselves, each for many rows: one statement for each is how to batch."""
    holder = call.fact.callee.removeprefix("<iterate> ") if call.link.implicit == "iterate" else call.holder
    return holder in repetition.block.targets and call.function.role_of(call.link.receiver) == "query"


def _is_one_of_many_workers(call: CallView, repetition: Repetition) -> bool:
    """Whether the loop starts as many threads or tasks as somebody asked for: `Thread(target=work) for _ in range(count)`."""
    subject = repetition.subject
    return call.link.mode == "spawn" and subject.startswith("range(") and "len(" not in subject


def _names_the_table(call: CallView, repetition: Repetition) -> bool:
    """Whether each element is a table of its own (`f"SELECT * FROM {table}"`): one statement cannot read them all."""
    value = call.fact.arguments[0].value if call.fact.arguments else None
    hole = table_hole(value.text) if value is not None and value.kind == "string" else -1
    return value is not None and 0 <= hole < len(value.names) and touches((value.names[hole],), repetition.names)


def _open_question(each: Repeated) -> str:
    call = each.call
    if each.access.kind == "read" and (kept := kept_by_hand(call, each.repetition.loop)):
        return f"how many different ones there are: `{kept}` keeps each that was asked for"
    if each.access.kind in {"update", "delete", "save"} and (told := told_outside(call, each.repetition.loop)):
        return f"whether each element is recorded for itself on purpose: `{told}` reaches outside the process each time"
    if each.access.kind in WRITTEN and (unit := own_unit(call, each.repetition.loop)):
        return unit
    if not each.access.reach.direct and any(r.effect.detail not in NEAR for r in call.reaches("network", "subprocess")):
        return f"whether `{call.name}` has to run for each element by itself: it also reaches outside the process"
    if each.access.kind == "read" and any(reach.looped for reach in call.reaches("db-write", "commit", "db-flush")):
        return f"whether `{call.name}` is one unit of work for each element: it has loops of writes of its own"
    written = each.access.kind in WRITTEN and not each.access.reach.direct
    if written and stands_alone(call, each.repetition.loop):
        return f"whether each element is meant to succeed or fail by itself: `{call.name}` commits, and no failure ends the loop"
    if _is_strategy(call, each.repetition.names):
        return f"how many elements `{each.repetition.subject}` has: they look like parts of the program, not like data"
    if call.has("db-read") and not each.access.reach.effect.certain and call.fact.discarded:
        return "which statement runs here: nothing in the code tells"
    return ""


def _in_comprehension(call: CallView) -> bool:
    """`[create_task(load(x)) for x in xs]`: tasks that are made to be awaited together."""
    return bool(call.function.blocks_around(call.fact.block, "comprehension"))


def _is_strategy(call: CallView, names: frozenset[str]) -> bool:
    """Whether the elements are services whose method is called (listeners, plugins), not rows or requests."""
    root = call.holder.partition(".")[0]
    type_ = call.function.types.get(root, "")
    is_service = bool(call.targets) and root in names and type_ == call.link.receiver.partition("[")[0]
    passed = (name for each in call.fact.arguments for name in (*each.value.names, each.value.text))
    return is_service and call.function.module.entity(type_) is None and not touches(tuple(passed), names)


def asks_for_many(call: CallView, names: frozenset[str]) -> bool:
    """Whether the loop gives batches, and the query takes a whole one at once: `where(User.id.in_(chunk))`."""
    passed = any(each.value.text in names for each in call.fact.arguments)
    return any(
        (is_sql(step) and passed) or any(_is_whole(step[found.end() :], each) for each in names)
        for step in call.query
        for found in MANY_AT_ONCE.finditer(step)
    )


def _is_whole(rest: str, name: str) -> bool:
    """Whether a text starts with the name itself, or a list of it, and not with something that is made from it."""
    return re.match(rf"(?:list|tuple|set)?\(?\s*{re.escape(name)}\s*[)\],]", rest) is not None


class Unit(NamedTuple):
    """A commit or flush in a loop, with the change of loop data that it writes each time."""

    commit: CallView
    loop: int
    names: frozenset[str]
    change: CallView | None  # None: attributes of an element are assigned
    kind: str  # insert, delete, update, save

    @property
    def line(self) -> int:
        """Where the commit is written: at the head of a `with` that commits when it is left."""
        block = self.commit.function.fact.blocks[self.commit.fact.block]
        return block.line if self.commit.link.implicit == "leave" else self.commit.line

    @property
    def open_question(self) -> str:
        """The fact that would settle whether the loop is at fault; "" when nothing is open."""
        if told := told_outside(self.commit, self.loop):
            return f"whether each element needs a commit of its own: `{told}` reaches outside the process"
        return own_unit(self.change or self.commit, self.loop)


@once_a_function
def units_of_work(function: FunctionView) -> Iterator[Unit]:
    """Commits and flushes that run once per element of a loop, because they stand in it themselves."""
    for call in function.calls_repeating("commit", "db-flush"):
        if _ends_a_unit(call):
            unit = _unit(call)
            if unit is not None:
                yield unit


def _ends_a_unit(call: CallView) -> bool:
    if call.has("commit", "db-flush"):
        return not any(each.detail == "savepoint" for each in call.effects)
    works = call.reaches("db-read", "db-write", "db-pending")
    return bool(call.targets) and not works and bool(call.reaches("commit", "db-flush"))


def _unit(commit: CallView) -> Unit | None:
    function = commit.function
    for loop in loops_of(commit):
        if loop_kind(function, loop) not in {"elements", "walk"} or leaves_after(
            function.fact, commit.fact.block, loop
        ):
            continue
        if _now_and_then(commit, loop) or runs_seldom(commit, loop, function.fact.blocks[loop].targets):
            return None
        names = loop_data(function.fact, loop)
        change = _change_in(function, loop, names, commit)
        if change is not None:
            return change
    return None


def _now_and_then(commit: CallView, loop: int) -> bool:
    """Whether a condition inside the loop makes one commit serve many elements: `if index % 100 == 0`."""
    blocks = commit.function.fact.blocks
    around = commit.function.blocks_around(commit.fact.block, "if", "else")
    return any(
        each.subject is not None and EVERY_SO_MANY.search(each.subject.text)
        for each in around
        if inside(commit.function.fact, blocks.index(each), loop)
    )


def _change_in(function: FunctionView, loop: int, names: frozenset[str], commit: CallView) -> Unit | None:
    changes = [each for each in function.calls_reaching("db-pending") if _is_pending(each, loop, names)]
    for call in changes:
        if call.reaches("db-pending-insert"):
            return Unit(commit, loop, names, call, "insert")
        if call.reaches("db-pending-delete"):
            return Unit(commit, loop, names, call, "delete")
    if _assigns_element(function, loop, names):
        return Unit(commit, loop, names, None, "update")
    return Unit(commit, loop, names, changes[0], "save") if changes else None


def _is_pending(call: CallView, loop: int, names: frozenset[str]) -> bool:
    """Whether a call in the loop puts one change of loop data on hold."""
    if not inside(call.function.fact, call.fact.block, loop) or call.has("db-bulk"):
        return False
    pending = call.reaches("db-pending") and not call.reaches("commit", "db-flush")
    return bool(pending) and flows_into(call, names)


def _assigns_element(function: FunctionView, loop: int, names: frozenset[str]) -> bool:
    return any(
        "." in target and not target.startswith(("self.", "cls.")) and touches((target,), names)
        for each in function.fact.assignments
        if inside(function.fact, each.block, loop)
        for target in each.targets
    )
