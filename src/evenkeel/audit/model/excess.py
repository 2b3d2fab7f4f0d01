"""Loads of which only a part is used: counted, indexed, filtered or added up in Python, or read for a few columns."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal, NamedTuple

from evenkeel.audit.model.accesses import short_entity
from evenkeel.audit.model.facts import Block, Call
from evenkeel.audit.model.fluent import chain_steps
from evenkeel.audit.model.index import Entity
from evenkeel.audit.model.lazy_loads import (
    LOADERS,
    LONGEST_STEP,
    managed_loading,
    origin_of_iterable,
)
from evenkeel.audit.model.loop_data import bound_call
from evenkeel.audit.model.shapes import STANDS
from evenkeel.audit.model.uses import condition_of, element_attributes, places_of, values_of
from evenkeel.audit.model.view import CallView, FunctionView

ExcessKind = Literal["count", "first", "filter", "aggregate", "columns"]

MANY_COLUMNS = 15
FEW_USED = 3
CHOSEN = re.compile(
    r"^(only|defer|aonly|with_for_update|select_for_update)\(|\b(load_only|defer|undefer_group|with_only_columns|with_entities)\("
)
NARROWING = re.compile(
    r"^(where|filter|filter_by|exclude|limit|values|values_list|only|defer|with_only_columns|load_only|with_entities"
    r"|options|having|distinct|group_by|fetchmany|paginate|first|one|get|in_bulk|select_from|yield_per|execution_options)\("
)
LARGE = re.compile(
    r"body|content|text|html|data|description|raw|payload|json|blob|document|markdown|transcript|embedding|vector|spec"
    r"|config|meta|extra|settings|image|snapshot|log|message|result|response|request|schema"
)  # a large type with a name that says large content, too: many models give every string the type TEXT
ABOUT_IT = re.compile(r"_(type|id|at|by|name|kind|count|size|path|url|hash|key|status|state)$")
COLUMN_SELECT = re.compile(r"^(select|query)\(.*[.(,]", re.DOTALL)
AGGREGATES = frozenset({"sum", "max", "min", "any", "all", "next"})
WORDS = re.compile(r"'[^']*'|\"[^\"]*\"|[A-Za-z_][\w.]*")
KEYWORDS = frozenset({"and", "or", "not", "in", "is", "None", "True", "False"})


class Excess(NamedTuple):
    """A load and what of it is not needed; `costly` when the excess grows with the table or the row is wide."""

    kind: ExcessKind
    load: CallView
    line: int
    end_line: int
    what: str
    costly: bool
    certain: bool
    is_relation: bool = False  # of an object from elsewhere, which may have it loaded along


def may_exceed(function: FunctionView) -> bool:
    """Whether it goes through something, counts something, or loads all of something: told before its code is decoded."""
    if function.shape & (STANDS["for"] | STANDS["comprehension"]) or function.does("db-load-all"):
        return True
    return function.asks("len", "list")


def excesses(function: FunctionView) -> Iterator[Excess]:
    """Every load of a function of which only a part is used."""
    for index, fact in enumerate(function.fact.calls):
        if fact.callee == "len" and len(fact.arguments) == 1:
            call = function.call(index)
            yield from _counted(function, call) if call is not None else ()
    yield from _indexed(function)
    for block in function.fact.blocks:
        if block.kind in {"for", "comprehension"} and block.subject is not None:
            yield from _iterated(function, block)


# -- counted, indexed ----------------------------------------------------------------------------------------------


def _counted(function: FunctionView, call: CallView) -> Iterator[Excess]:
    value = call.fact.arguments[0].value
    if value.kind == "call":
        load = function.call(value.call)
        listed = load is not None and load.fact.callee == "list" and load.has("db-read")
        if load is not None and (listed or load.has("db-load-all") or call.has("db-read")):
            yield from _counted_rows(call, load, load)
    elif value.kind == "name":
        given = [each.value.call for each in function.fact.assignments if value.text in each.targets]
        load = function.call(given[0]) if len(given) == 1 else None
        runs = load is not None and call.has("db-read") and not load.has("db-read")  # a lazy query that `len` runs
        if load is not None and (runs or load.has("db-load-all")) and _is_counted_only(function, call, value.text):
            yield from _counted_rows(call, load, call if runs else load)


def _is_counted_only(function: FunctionView, call: CallView, name: str) -> bool:
    """Whether nothing is done with what a name holds but to count it: `len(rows)`, `if len(rows) > 0`."""
    around = [each for each in values_of(function.fact) if f"len({name})" in each[1].text and each[1].kind != "name"]
    word = re.compile(rf"(?<![\w.\"']){re.escape(name)}\b")
    once = {at for at, each in around if len(word.findall(each.text)) == 1 and len(each.text) < LONGEST_STEP}
    return not set(places_of(function.fact, name)) - once - {call.fact.position}


def _counted_rows(call: CallView, made: CallView, load: CallView) -> Iterator[Excess]:
    if not _limited(made):
        what = f"`{_short(call.fact)}` loads every `{_entity(load)}` row to count them"
        yield Excess("count", load, call.line, call.fact.end_line, what, True, _sure(load))


def _indexed(function: FunctionView) -> Iterator[Excess]:
    for read in function.fact.reads:
        load = function.call(read.receiver) if read.subscript and read.chain == "<call>" else None
        if load is not None and _loads_all(load) and not _limited(load):
            what = f"`{load.name}()[...]` loads every `{_entity(load)}` row to take some of them"
            yield Excess("first", load, read.line, read.line, what, not _narrowed(load), _sure(load))


def _loads_all(call: CallView) -> bool:
    """Whether a call loads every row: `.all()`, or `list(query)`, but not `list(query[:10])`."""
    sliced = any(each.value.size >= 0 for each in call.fact.arguments)
    return call.has("db-load-all") or (call.fact.callee == "list" and call.has("db-read") and not sliced)


def _short(call: Call) -> str:
    return f"len({call.arguments[0].value.text[:60]})"


def _entity(load: CallView) -> str:
    effect = load.effect("db-load-all", "db-read")
    return (short_entity(effect.detail) if effect is not None else "") or "matching"


def _sure(load: CallView) -> bool:
    return all(each.certain for each in load.effects)


def _steps(load: CallView) -> tuple[str, ...]:
    chained = chain_steps(load)
    return (*load.query, *(each for each in chained if each not in load.query))


def _limited(load: CallView) -> bool:
    return any(
        re.match(r"(limit|paginate|slice|fetchmany|values|values_list|yield_per)\(", each) for each in _steps(load)
    )


def _narrowed(load: CallView) -> bool:
    steps = _steps(load)
    return any(NARROWING.match(each) or "WHERE" in each.upper().split() for each in steps)


# -- iterated ------------------------------------------------------------------------------------------------------


def _iterated(function: FunctionView, block: Block) -> Iterator[Excess]:
    load = origin_of_iterable(function, block)
    if load is None or load.targets or not _only_here(function, block) or _is_narrow(load):
        return
    whole = not _narrowed(load)
    entity = function.module.entity(function.types.get(block.targets[0], "")) if len(block.targets) == 1 else None
    if block.kind == "comprehension" and (whole or _is_relation(load)):
        yield from _computed(function, block, load, whole=whole)
    if entity is not None:
        yield from _few_columns(function, block, load, entity)


def _only_here(function: FunctionView, block: Block) -> bool:
    """Whether the list serves this loop alone: it is made in the loop's head, or its name is used nowhere else."""
    subject = block.subject
    if subject is None or subject.kind != "name":
        return subject is not None
    return subject.text.isidentifier() and _uses_elsewhere(function, subject.text, block) == 0


def _uses_elsewhere(function: FunctionView, name: str, block: Block) -> int:
    at_loop = range(block.start - len(name) - 8, block.end + 1)
    return sum(1 for each in places_of(function.fact, name) if each not in at_loop)


def _is_narrow(load: CallView) -> bool:
    """Whether the query selects columns already."""
    return any(COLUMN_SELECT.match(each) for each in _steps(load)[:1]) or _limited(load)


def _computed(function: FunctionView, block: Block, load: CallView, *, whole: bool) -> Iterator[Excess]:
    if _is_relation(load) and managed_loading(load) == "eager":
        return  # loaded along for all at once: asked in SQL, it would be one query more for each
    outer = _consumer(function, block)
    condition = condition_of(function.fact, block)
    if condition and _asks_element_alone(condition, block.targets[0]) and not _is_filled(load, condition):
        what = f"every `{_entity(load)}` row is loaded and filtered in Python by `{condition[:60]}`"
        yield Excess("filter", load, block.line, block.end_line, what, True, False, _is_given(load))
    elif whole and outer in AGGREGATES and element_attributes(function.fact, block):
        what = f"every `{_entity(load)}` row is loaded for `{outer}(...)` in Python"
        yield Excess("aggregate", load, block.line, block.end_line, what, True, False, _is_given(load))


def _is_given(load: CallView) -> bool:
    """Whether it reads a whole relation of an object of which nothing here tells how it was loaded."""
    if not _is_relation(load) or managed_loading(load) != "unknown":
        return False
    origin = bound_call(load.function, load.holder.partition(".")[0], load.fact.position)
    is_shown = origin is not None and origin.has("db-read", "db-key-read")
    return origin is None or not is_shown or any(LOADERS.search(each) for each in _steps(origin))


def _is_filled(load: CallView, condition: str) -> bool:
    """`for each in user.permissions.all() if each.key`: a whole relation of one object, less what has nothing there."""
    return _is_relation(load) and re.fullmatch(r"[\w.]+", condition) is not None


def _is_relation(load: CallView) -> bool:
    """Whether it reads all of a relation of one object, whatever query found the object."""
    return load.name == "all" and "Manager[" in load.link.receiver


def _consumer(function: FunctionView, block: Block) -> str:
    """The function that takes the comprehension as its argument: `sum`, `any`, ..."""
    subject = block.subject.text if block.subject is not None else ""
    for call in function.fact.calls:
        if any(
            each.value.kind == "comprehension" and f"in {subject}" in each.value.text and call.position >= block.end
            for each in call.arguments[:1]
        ):
            return call.callee
    return ""


def _asks_element_alone(condition: str, name: str) -> bool:
    """Whether a condition compares columns of the element with plain values, so that SQL could ask the same."""
    words = [each for each in WORDS.findall(condition) if each[0] not in "'\"" and each not in KEYWORDS]
    own = [each for each in words if each.startswith(f"{name}.") and each.count(".") == 1]
    return bool(own) and "(" not in condition and all(each in own or "." not in each for each in words)


def _few_columns(function: FunctionView, block: Block, load: CallView, entity: Entity) -> Iterator[Excess]:
    used = element_attributes(function.fact, block)
    relations = {each.name for each in entity.relations}
    if not used or len(used) > FEW_USED or used & relations or used & set(entity.wide):
        return
    large = [each for each in entity.wide if LARGE.search(each) and not ABOUT_IT.search(each)]
    if (entity.columns <= MANY_COLUMNS and not large) or any(CHOSEN.search(each) for each in _steps(load)):
        return
    kept = f", {', '.join(large[:2])} among them," if large else ""
    what = (
        f"`{entity.name.rpartition('.')[2]}` rows are loaded with {entity.columns} columns{kept} "
        f"and only {', '.join(f'`{each}`' for each in sorted(used))} read"
    )
    costly = entity.columns > MANY_COLUMNS or not (_narrowed(load) or "Related" in load.link.receiver)
    yield Excess("columns", load, block.line, block.end_line, what, costly, True)
