"""Lazy loads: reading a relationship of an entity that its query did not load costs a query of its own.

Whether it does is decided where the entity comes from: the options of the query that produced it. A query that nothing
in the function shows leaves the question open. Async sessions do not load lazily at all, they raise.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal, NamedTuple

from evenkeel.audit.model.ends import calls_at
from evenkeel.audit.model.facts import Block, Value
from evenkeel.audit.model.finding import Step
from evenkeel.audit.model.fluent import DEEPEST, chain_steps
from evenkeel.audit.model.loop_data import IDENTIFIER, bound_call
from evenkeel.audit.model.masks import LAZY, QUERIES
from evenkeel.audit.model.uses import values_of
from evenkeel.audit.model.view import CallView, FunctionView

SERIALISED = "<serialise>"  # how a read is written that the framework makes for a response model
LONGEST_STEP = 190  # texts are cut at 200 characters: what stands behind is not known

Loading = Literal["lazy", "eager", "unknown"]

LOADERS = re.compile(
    r"\b(options|select_related|prefetch_related|joinedload|selectinload|subqueryload|contains_eager|immediateload"
    r"|raiseload|noload|prefetch|join_from|eager|with_loaded|loader)\w*\("
)
STARTS = re.compile(
    r"^(select|query|filter|filter_by|all|exclude|order_by|objects|where|get_queryset|Select|find|only|defer|annotate"
    r"|distinct|using|select_related|prefetch_related|limit|join|outerjoin|options|iterator|in_bulk)\w*\("
)
WHOLE = frozenset({"all", "count", "exists", "iterator"})  # what a prefetched relation answers without a query
SELECTED = re.compile(r"\b[A-Z]\w*")  # the models whose columns a step names
SELECTS_ALONG = "peewee."
LISTS = frozenset({"list", "tuple", "set", "sorted"})
NARROWED = re.compile(r"^(values|values_list|with_only_columns|with_entities|scalars_only)\(")


class LazyLoad(NamedTuple):
    """A read of a relationship, the call whose query gave the entity, and whether that query loads it."""

    read: CallView
    relation: str
    origin: CallView | None
    loading: Loading
    inner: CallView | None = None  # in a method that `read` calls on the element

    @property
    def by_response(self) -> bool:
        """Whether the framework makes it, once per element of the list that a handler returns."""
        return self.read.fact.callee.startswith(SERIALISED)


def lazy_loads(function: FunctionView) -> Iterator[LazyLoad]:
    """Every read of a relationship that the model loads lazily by default."""
    for call in function.calls_marked(LAZY):
        if not call.link.certain:
            continue
        if call.loops or call.fact.callee.startswith(SERIALISED):
            origin = origin_of(function, call)
            target = call.link.result.removeprefix("list[").removesuffix("]").rpartition(".")[2]
            awaited = origin is not None and _is_awaited(function, call, origin)
            loading = _loaded_when_awaited(call, origin) if awaited else _loading(call.link.key, origin, target)
            yield LazyLoad(call, call.link.key, origin, loading)


def _is_awaited(function: FunctionView, read: CallView, origin: CallView) -> bool:
    """Whether an async library loads the relationship because it is awaited: `await invoice.customer`."""
    chain = read.fact.callee.partition("> ")[2]
    return origin.library.startswith("tortoise.") and any(
        each.awaited and each.kind == "name" and each.text == chain for _, each in values_of(function.fact)
    )


def _loaded_when_awaited(read: CallView, origin: CallView | None) -> Loading:
    steps = (origin.query or chain_steps(origin)) if origin is not None else ()
    return loads(steps, read.link.key) if steps else "unknown"


def origin_of(function: FunctionView, read: CallView) -> CallView | None:
    """The call whose query produced the entity that a chain starts from: through loops, names and results of calls."""
    if read.fact.receiver >= 0:
        call = function.call(read.fact.receiver)
        return _querying(function, call, 0) if call is not None else None
    root = read.fact.callee.partition("> ")[2].partition(".")[0].removesuffix("[]")
    return _origin_of_name(function, root, read.fact.position, 0)


def origin_of_name(function: FunctionView, name: str, position: int) -> CallView | None:
    """The call whose query produced what a local name stands for."""
    return _origin_of_name(function, name, position, 0)


def origin_of_value(function: FunctionView, value: Value, position: int) -> CallView | None:
    """The call whose query produced a value."""
    return _origin_of_value(function, value, position, 0)


def loading_of(relation: str, origin: CallView | None, target: str) -> Loading:
    """Whether the query of `origin` loads a relationship, to the entity `target` (short), along."""
    return _loading(relation, origin, target)


def origin_of_iterable(function: FunctionView, block: Block) -> CallView | None:
    """The call whose query produced what a loop goes through."""
    return _origin_of_value(function, block.subject, block.start, 0) if block.subject is not None else None


def _origin_of_name(function: FunctionView, name: str, position: int, depth: int) -> CallView | None:
    if depth > 6:
        return None
    block = _binding_loop(function, name, position)
    if block is not None and block.subject is not None:
        return _origin_of_value(function, block.subject, block.start, depth + 1)
    call = bound_call(function, name, position)
    if call is not None:
        return _querying(function, call, depth)
    given = [each for each in function.fact.assignments if name in each.targets and each.position < position]
    return _origin_of_value(function, given[-1].value, given[-1].position, depth + 1) if given else None


def _binding_loop(function: FunctionView, name: str, position: int) -> Block | None:
    """The innermost loop around a position that has the name as a target."""
    around = [
        each
        for each in function.fact.blocks
        if each.kind in {"for", "comprehension"} and name in each.targets and each.start <= position <= each.end
    ]
    return max(around, key=lambda each: each.start, default=None)


def _origin_of_value(function: FunctionView, value: Value, position: int, depth: int) -> CallView | None:
    if value.call >= 0:
        call = function.call(value.call)
        return _querying(function, call, depth) if call is not None else None
    if value.kind == "name":
        return _origin_of_name(function, value.text.partition(".")[0].removesuffix("[]"), position, depth + 1)
    if value.kind == "comprehension":  # `{user.id: user for user in users}`
        made = _made_by(function, value, position)
        return _origin_of_value(function, made.subject, made.start, depth + 1) if made and made.subject else None
    return None


def _made_by(function: FunctionView, value: Value, position: int) -> Block | None:
    """The loop of a comprehension that gives its own elements, whole."""
    before = [each for each in function.fact.blocks if each.kind == "comprehension" and each.end <= position]
    block = max(before, key=lambda each: each.start, default=None)
    if block is None or len(block.targets) != 1 or block.targets[0] not in value.names:
        return None
    whole = re.match(rf"[\[({{](?:[^\[\](){{}}:]+:\s*)?{re.escape(block.targets[0])}\s+for\b", value.text)
    return block if whole else None


def _querying(function: FunctionView, call: CallView, depth: int) -> CallView | None:
    """The call itself or one of its receivers, if it runs a query or calls something that does; else its argument's."""
    inner = (
        _origin_of_value(function, call.fact.arguments[0].value, call.fact.position, depth + 1)
        if _lists(call)
        else None
    )
    current: CallView | None = inner or call
    while current is not None:
        if current.has("db-read") or (current.targets and current.reaches("db-read")) or _is_query(current):
            return current
        root = current.holder.partition(".")[0]
        if current.receiver is None and root and not root.startswith("<"):
            found = _origin_of_name(function, root, current.fact.position, depth + 1)
            if found is not None:
                return found
        if current.receiver is None and current.fact.arguments:
            first = current.fact.arguments[0].value
            return _origin_of_value(function, first, current.fact.position, depth + 1)
        current = current.receiver
    return None


def _lists(call: CallView) -> bool:
    """Whether it makes a collection of what it is given: the query is inside, `list(Book.objects.filter(...))`."""
    return call.fact.callee in LISTS and len(call.fact.arguments) > 0


def _is_query(call: CallView) -> bool:
    """A query that is run by going through it: `Book.objects.filter(...)`."""
    return any(each in call.link.result for each in QUERIES)


def _loading(relation: str, origin: CallView | None, target: str = "", depth: int = 0) -> Loading:
    if origin is None or depth > DEEPEST:
        return "unknown"
    if _is_asynchronous(origin):
        return "eager"
    if _is_shown(origin):
        return "unknown"
    if origin.targets:
        return _loading_of_callee(relation, origin, target, depth)
    steps = origin.query or chain_steps(origin)
    if not steps or not STARTS.match(steps[0]):
        return "unknown"
    return _selected(steps, target) if _selects_along(origin) else loads(steps, relation)


def _is_shown(origin: CallView) -> bool:
    """Whether it reads a relation of an object that a framework serialises, one of a list whose query stands in a view."""
    function = origin.function
    given = function.info.parameters[:1] if function.info.per_element else ()
    return "Manager[" in origin.link.receiver and origin.fact.callee.partition(".")[0] in given


def _selects_along(origin: CallView) -> bool:
    """Whether the library fills a relationship from the columns of another model that the query selects."""
    current: CallView | None = origin
    while current is not None:
        if current.library.startswith(SELECTS_ALONG) or current.link.result.startswith(SELECTS_ALONG):
            return True
        current = current.receiver
    return False


def _selected(steps: tuple[str, ...], target: str) -> Loading:
    """`Message.select(Message, User).join(User)` loads the users along; an alias of another model may be the target's."""
    names = [name for each in steps for name in SELECTED.findall(each.partition("(")[2]) if each.startswith("select(")]
    if target in names or any(each.startswith("prefetch(") for each in steps):
        return "eager"
    return "unknown" if len(set(names)) > 1 else "lazy"


def _loading_of_callee(relation: str, origin: CallView, target: str, depth: int) -> Loading:
    """A function of the project gave the entities: what the queries load whose results it returns; all must agree."""
    callee = origin.function.module.function(origin.targets[0]) if len(origin.targets) == 1 else None
    if callee is None or callee.is_async:
        return "unknown" if callee is None else "eager"
    given = [each for each in callee.fact.exits if each.kind == "return" and each.value.kind in {"name", "call"}]
    origins = [_origin_of_value(callee, each.value, each.position, 0) for each in given]
    found = {_loading(relation, each, target, depth + 1) for each in origins}
    return found.pop() if len(found) == 1 else "unknown"


def loads(steps: tuple[str, ...], relation: str) -> Loading:
    """Whether a query loads a relationship along: `options(selectinload(Order.lines))` names it."""
    loaders = [each for each in steps if LOADERS.search(each)]
    if any(NARROWED.match(each) for each in steps):
        return "eager"
    for each in loaders:
        inside = each.partition("(")[2]
        if re.search(rf"\b{re.escape(relation)}(?:\b|__)", inside) or "*" in inside or inside.strip() == ")":
            return "eager"
        if len(each) >= LONGEST_STEP or re.fullmatch(r"\w+\(\w+\)", each):
            return "unknown"
    return "lazy"


def managed_loading(call: CallView, end: Step | None = None) -> Loading | None:
    """Whether the query behind `author` serves `author.book_set.all()`; None when the call does not go through that.

    A method of the element (`author.summary()`) may read what was loaded along: unknown as soon as the query loads any.
    So may a function that is given an element from elsewhere, when what it reads (at `end`) is a whole relation."""
    if end is not None and call.targets and _is_given(call) and reads_relation(call, end):
        return "unknown"
    listed = call.function.call(call.fact.arguments[0].value.call) if _lists(call) else None
    if listed is not None and listed.name in WHOLE:  # `sorted(author.book_set.all())`
        return managed_loading(listed)
    chain = next(iter(IDENTIFIER.findall(call.fact.callee.partition("> ")[2] or call.fact.callee)), "")
    root, *rest = chain.split(".")
    if not rest or call.fact.callee.startswith("<call>"):
        return None
    element = call.function.types.get(root, "")
    if call.function.module.entity(element) is None:
        return None
    origin = _origin_of_name(call.function, root, call.fact.position, 0)
    if call.targets or rest == ["awaitable_attrs"]:
        loaded = origin is not None and any(LOADERS.search(each) for each in (origin.query or chain_steps(origin)))
        return "unknown" if loaded else None
    return _loading(rest[0], origin) if len(rest) > 1 and rest[-1] in WHOLE else None


def _is_given(call: CallView) -> bool:
    """Whether the elements that a call is given come from outside the function: nothing here tells how they were loaded."""
    function = call.function
    roots = {each.value.text.partition(".")[0] for each in call.fact.arguments if each.value.kind == "name"}
    elements = {t for block in function.fact.blocks if block.kind in {"for", "comprehension"} for t in block.targets}
    passed = [each for each in roots & elements if function.module.entity(function.types.get(each, "")) is not None]
    return bool(passed) and all(_origin_of_name(function, each, call.fact.position, 0) is None for each in passed)


def reads_relation(call: CallView, end: Step) -> bool:
    """Whether the read at the end of a way is of a whole related collection, `document.tags.all()`, that a prefetch serves."""
    return any(each.name in WHOLE and "Manager[" in each.link.receiver for each in calls_at(call.function.module, end))


def _is_asynchronous(call: CallView) -> bool:
    current: CallView | None = call
    while current is not None:
        if current.fact.awaited or "asyncio" in current.library:
            return True
        current = current.receiver
    return False
