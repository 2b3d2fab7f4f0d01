"""What a function holds already when it loads a row: the same row from an earlier load, or an object with that id."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from evenkeel.audit.model.accesses import short_entity
from evenkeel.audit.model.effects import EffectKind
from evenkeel.audit.model.ends import calls_at
from evenkeel.audit.model.facts import root_of
from evenkeel.audit.model.finding import Step
from evenkeel.audit.model.flow import ancestors
from evenkeel.audit.model.loads import Load, holder_of, rebound_between, runs_before, same_entity
from evenkeel.audit.model.loop_data import bound_call
from evenkeel.audit.model.new_rows import constructs
from evenkeel.audit.model.regions import opens_transaction
from evenkeel.audit.model.singles import IDENTITY, is_partial, snake
from evenkeel.audit.model.view import CallView, FunctionView

ON_PURPOSE = re.compile(
    r"for_update|lock|refresh|reload|fresh|populate_existing|nowait|(^|_)(wait|poll|retry)(_|$)", re.IGNORECASE
)
LOCKING = re.compile(r"^(with_for_update|select_for_update)\(|populate_existing|\bFOR (UPDATE|SHARE)\b", re.IGNORECASE)
CHANGES: tuple[EffectKind, ...] = ("db-write", "db-pending", "db-flush", "db-refresh", "commit", "rollback")
BEFORE_SAVING = re.compile(r"(?:\b|_)(?:pre_save|pre_update|before_(?:save|update|flush|commit))(?:\b|_)")
FORGETS = frozenset(
    {"expire", "expire_all", "refresh", "refresh_from_db", "arefresh_from_db", "expunge", "expunge_all"}
)
WAITS: tuple[EffectKind, ...] = ("network", "sleep", "subprocess", "password-hash")


class Held(NamedTuple):
    """Why the row is at hand: `why` completes "although ...". `partial`: what is asked for are columns of it."""

    why: str
    step: Step | None
    certain: bool
    partial: bool
    open_question: str = ""


def held_before(load: Load, loads: Sequence[Load]) -> Held | None:
    """What makes a load unnecessary: an earlier load of the same row, or an entity in a variable."""
    for first in loads:
        reason = _same_row(first, load) if first.call is not load.call else ""
        if reason and runs_before(first.call, load.call) and not _is_needed_again(first, load) and _is_sure(first):
            question = _changed_between(first.call, load.call)
            certain = bool(first.entity) and first.call.link.certain
            return Held(reason, first.call.step, certain, _is_partial(first, load), question)
    return _entity_at_hand(load)


def _is_sure(load: Load) -> bool:
    """Whether the callee surely makes it: not only in a case of its own, `if not children: find_or_raise(name)`. What hangs
    on an argument the caller knows."""
    for step in load.path[1:]:
        calls = calls_at(load.call.function.module, step)
        if calls and all(_in_own_case(each) for each in calls):
            return False
    return True


def _in_own_case(call: CallView) -> bool:
    given = set(call.function.info.parameters)
    around = call.function.blocks_around(call.fact.block, "if", "else", "except")
    asked = [
        {root_of(name) for name in (each.subject.names or (each.subject.text,))} for each in around if each.subject
    ]
    return any(each.kind == "except" for each in around) or any(given.isdisjoint(names) for names in asked)


def _is_needed_again(first: Load, second: Load) -> bool:
    """Whether the first left nothing to go on with: it raised, it found nothing, it was made to be forgotten, or the
    second looks again where a transaction keeps others out."""
    function, end = second.call.function, second.call.fact.position
    blocks = function.fact.blocks
    for index in ancestors(blocks, second.call.fact.block):
        failed = blocks[index].kind == "except" and function.is_inside(first.call.fact.block, blocks[index].origin)
        if failed or (opens_transaction(function, index) and not function.is_inside(first.call.fact.block, index)):
            return True
    between = (each for each in function.calls if first.call.fact.position < each.fact.position < end)
    return any(each.name in FORGETS for each in between) or _found_nothing(function, first, second)


def _found_nothing(function: FunctionView, first: Load, second: Load) -> bool:
    """`if user is None: user = get_or_create(name)`, `if user is not None: raise ...`: what is there to pass on?"""
    holder = holder_of(first)
    blocks = function.fact.blocks
    if not holder:
        return False
    tests = [*_named_tests(function, holder, "is None"), f"{holder} is None", f"not {holder}"]
    around = function.blocks_around(second.call.fact.block, "if")
    if any(each.subject is not None and each.subject.text in tests for each in around):
        return True
    present = [holder, f"{holder} is not None"]
    left = (each for each in blocks if each.kind == "if" and each.exits and each.end < second.call.fact.position)
    return any(each.subject is not None and each.subject.text in present for each in left)


def _named_tests(function: FunctionView, holder: str, test: str) -> list[str]:
    """Names that were given the answer: `is_new = user is None`."""
    given = (each for each in function.fact.assignments if each.value.text == f"{holder} {test}")
    return [target for each in given for target in each.targets]


def is_on_purpose(load: Load) -> bool:
    """Whether the read is made to see the present state: under a row lock, or named so."""
    if any(LOCKING.search(each) for each in _last_query(load)):
        return True
    texts = (load.call.fact.callee, *load.call.query, *(step.function for step in load.path))
    return any(ON_PURPOSE.search(each.rpartition(".")[2]) or "with_for_update" in each for each in texts)


def _last_query(load: Load) -> tuple[str, ...]:
    """The statement at the end of the way, when a callee makes it."""
    if len(load.path) == 1:
        return ()
    return next((each.query for each in calls_at(load.call.function.module, load.path[-1]) if each.query), ())


def _is_partial(first: Load, second: Load) -> bool:
    return second.partial and not _is_same_statement(first, second)


def _is_same_statement(first: Load, second: Load) -> bool:
    """Whether both come to the same statement in the end, by whatever way."""
    return first.source == second.source or (second.unique and first.path[-1] == second.path[-1])


def _same_row(first: Load, second: Load) -> str:
    """The reason in words when both give the same row, else ""."""
    if not same_entity(first, second):
        return ""
    same_statement = _is_same_statement(first, second)
    if not (same_statement or (second.unique and not first.partial)):
        return ""
    function = second.call.function
    start, end = first.call.fact.position, second.call.fact.position
    alike = _asked_alike(first, second) if same_statement else first.unique
    if set(first.key) == set(second.key) and alike:
        if any(rebound_between(function, each, start, end) for each in second.key):
            return ""
        return f"`{first.call.fact.callee}` on line {first.call.line} has loaded it by the same key"
    holder = holder_of(first)
    if holder and _is_key_of(holder, second, first.key) and not _given_again(function, holder, start, end):
        return f"`{holder}` holds it since line {first.call.line}"
    return ""


def _asked_alike(first: Load, second: Load) -> bool:
    """Whether one statement answers both the same. What is passed beside the key may narrow it further inside the
    callee: `count(user_id)`, `count(user_id, Status.DRAFT)`."""
    if first.literals != second.literals:
        return False
    given = [{each.value.text for each in load.call.fact.arguments} for load in (first, second)]
    return first.call.targets != second.call.targets or given[0] == given[1]


def _is_key_of(holder: str, load: Load, known: tuple[str, ...]) -> bool:
    """Whether the key is the identity of what the holder holds; the rest of the key may be what it was loaded by."""
    rest = [each for each in load.key if each.partition(".")[0] != holder]
    own = [each for each in load.key if each.partition(".")[0] == holder]
    entity = snake(short_entity(load.entity))
    named = any(IDENTITY.match(last := each.rpartition(".")[2]) or last == f"{entity}_id" for each in own)
    return bool(own) and named and all(each.count(".") == 1 for each in own) and set(rest) <= set(known)


def _given_again(function: FunctionView, name: str, start: int, end: int) -> bool:
    """Whether a name is bound a second time between two positions; its first binding follows the call at `start`."""
    given = [each for each in function.fact.assignments if name in each.targets and start < each.position < end]
    return len(given) > 1


def _entity_at_hand(load: Load) -> Held | None:
    """A variable that is an entity of the kind that is loaded by its id: `load(user.id)` with a `User` in `user`."""
    function = load.call.function
    roots = {each.partition(".")[0] for each in load.key if "." in each}
    if _runs_before_saving(function):
        return None  # the row as it is stored is what the object at hand is compared with
    for root in sorted(roots) if load.unique else ():
        type_ = function.types.get(root, "")
        if not load.entity or type_ != load.entity or function.module.entity(type_) is None:
            continue
        if _is_key_of(root, load, ()) and not _is_loop_target(function, root) and _is_whole_row(load, root):
            question = _changed_since_binding(load, root)
            why = f"`{root}` is that {short_entity(load.entity)} already"
            return Held(why, None, True, load.partial, question)
    return None


def _runs_before_saving(function: FunctionView) -> bool:
    """Whether a framework calls it with an object that is about to be saved: `@receiver(pre_save, sender=Image)`."""
    given = (each.value.text for decorator in function.fact.decorators for each in decorator.arguments)
    return any(BEFORE_SAVING.search(each) for each in (*given, function.fact.name))


def _is_loop_target(function: FunctionView, name: str) -> bool:
    return any(name in each.targets for each in function.fact.blocks if each.kind in {"for", "comprehension"})


def _is_whole_row(load: Load, name: str) -> bool:
    """Whether the variable holds the row as it is stored when the load runs: not one that was just made, not some of
    its columns, and not what the load itself is about to bind the name to."""
    function, position = load.call.function, load.call.fact.position
    call = bound_call(function, name, position)
    if call is not None:
        return not constructs(call) and not is_partial(call.link)
    return not any(name in each.targets and each.position >= position for each in function.fact.assignments)


def _changed_since_binding(load: Load, name: str) -> str:
    call = bound_call(load.call.function, name, load.call.fact.position)
    return _changed_between(call, load.call) if call is not None else _changed_before(load.call)


def _changed_before(second: CallView) -> str:
    telling = second.function.calls_reaching(*CHANGES, *WAITS, "lock")
    earlier = (each for each in telling if each.fact.position < second.fact.position)
    return next((found for each in earlier if each is not second and (found := _question(each))), "")


def _changed_between(first: CallView, second: CallView) -> str:
    """The fact that would settle whether the row is still the same: a write or a wait between, or in the first."""
    for call in second.function.calls_reaching(*CHANGES, *WAITS, "lock"):
        inside = first.fact.position <= call.fact.position < second.fact.position
        if inside and call is not second and second.follows(call) and not _feeds(call, second):
            question = _question(call)
            if question:
                return question
    return ""


def _feeds(call: CallView, second: CallView) -> bool:
    """Whether the call is part of the second load's own expression."""
    return call.fact.parent == second.index or second.fact.receiver == call.index


def _question(call: CallView) -> str:
    if call.reaches(*CHANGES):
        return f"whether the second read is meant to see what `{call.name}` on line {call.line} changes"
    if call.reaches(*WAITS) or call.has("lock"):
        return f"whether the row has to be read anew after `{call.name}` on line {call.line}"
    return ""
