"""Reads of tables that are used as queues: pending or due rows, selected to be worked on, and whether they are claimed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache, partial

from evenkeel.audit.model.effects import EffectKind
from evenkeel.audit.model.facts import Block
from evenkeel.audit.model.fluent import chain_steps
from evenkeel.audit.model.handed import handed_sql
from evenkeel.audit.model.index import Link
from evenkeel.audit.model.masks import GIVEN, READS, UPDATES_ITSELF, mask_of, mask_of_function
from evenkeel.audit.model.shapes import METHOD
from evenkeel.audit.model.sql import counts
from evenkeel.audit.model.view import CallView, FunctionView, ModuleView

WAITING = r"pending|queued|new|ready|waiting|unsent|retry|todo|scheduled|unprocessed|submitted|not_started|created"
PENDING = re.compile(
    rf"\b(?:status|state)\w*\W{{1,12}}(?:IN\W{{1,4}})?(?:IN\s*\(\s*)?(?:\w+\.)*[\"']?(?:{WAITING})\b"
    r"|\b\w*(?:processed|sent|delivered|done|completed|handled|published|dispatched|claimed|locked|picked|started|executed)"
    r"(?:_at)?\b\W{1,8}(?:is_\()?(?:\s*is\s*)?(?:False|None|false|null|sa\.false|0)"
    r"|\b\w*(?:processed|sent|delivered|locked|claimed|started)(?:_at)?__isnull",
    re.IGNORECASE,
)
PENDING_NEEDS = (  # one of them stands in every text that it matches
    "status", "state", "processed", "sent", "delivered", "done", "completed", "handled", "published", "dispatched",
    "claimed", "locked", "picked", "started", "executed",
)  # fmt: skip
DUE = re.compile(
    r"\b(?:next_run|run_at|run_after|scheduled|due|retry_at|next_retry|send_at|available_at|execute_at|next_attempt)"
    r"\w*\s*(?:<=?|__lte?\s*=)"
    r"|^(?!.*expir).*\b\w+\s*<=\s*(?:\w+\.)*(?:now|utc_?now|current_timestamp)\b",
    re.IGNORECASE,
)
CLAIMS = re.compile(
    r"skip_locked|with_for_update|for_update|FOR\s+UPDATE|RETURNING|returning\(|find_one_and|nowait", re.IGNORECASE
)
ASKS = re.compile(r"(^|_)(pending|due|queued|unsent|undelivered|waiting|unprocessed|scheduled|ready|backlog|todo)(_|$)")
HANDLERS = re.compile(r"(^|_)(handler|sender|callback|processor|deliver(er)?|send|handle|process|func|fn)$")
MARKS: tuple[EffectKind, ...] = ("db-update", "db-delete", "commit", "db-flush")
MARKING = mask_of(*MARKS)
DEEPEST = 4  # calls between the one that asks and the statement
SETS = re.compile(
    r"\b\w*(?:status|state|processed|sent|delivered|done|completed|handled|locked|claimed|started)\w*\s*=",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class QueueRead:
    """`call` reads pending rows of `entity`; `mark` is the first later call that records that they were worked on."""

    call: CallView
    mark: CallView
    entity: str


def queue_reads(module: ModuleView) -> Iterator[QueueRead]:
    """Every unclaimed queue read of a module: worked on in the function that reads, or marked by another method."""
    yield from _in_one_function(module)
    yield from _over_methods(module)


def _over_methods(module: ModuleView) -> Iterator[QueueRead]:
    """A class whose one method reads what is due and whose other method marks a row by its key alone."""
    for functions in _classes_that_update(module):
        steps = [call for function in functions for call in _query_steps(function)]
        reads = [(call, entity) for call in steps if (entity := _selected_pending(call))]
        calls = [call for function in functions for call in function.calls] if reads else []
        if any(map(_claims, calls)):
            continue
        for read, entity in reads[:1]:
            mark = next((each for each in calls if _marks_by_key(each, entity, read)), None)
            if mark is not None:
                yield QueueRead(read, mark, entity)


def _query_steps(function: FunctionView) -> list[CallView]:
    """The calls that give a query."""
    return function.calls_linked(partial(_gives_query, function))


def _gives_query(function: FunctionView, link: Link) -> bool:
    return bool(link.result) and function.role_of(link.result) == "query"


def _classes_that_update(module: ModuleView) -> Iterator[list[FunctionView]]:
    """The methods of each class that makes queries and one of whose methods updates rows itself."""
    updating = module.functions_marked(UPDATES_ITSELF)
    classes = {each.name.rpartition(".")[0] for each in updating if each.shape & METHOD}
    found = [each for each in module.functions_shaped(METHOD) if each.name.rpartition(".")[0] in classes]
    asking = {
        each.name.rpartition(".")[0] for each in found if any(map(partial(_gives_query, each), each.linked.links))
    }
    methods: dict[int, list[FunctionView]] = {}
    for function in found:
        if function.name.rpartition(".")[0] in asking:
            methods.setdefault(function.fact.owner, []).append(function)
    yield from methods.values()


def _selected_pending(call: CallView) -> str:
    """The entity of a query that is narrowed here to rows that wait, "" otherwise."""
    if call.name not in {"where", "filter", "filter_by"} or call.function.role_of(call.link.result) != "query":
        return ""
    texts = (each.value.text for each in call.fact.arguments)
    entity = call.link.result.partition("[")[2].removeprefix("tuple[").partition(",")[0].rstrip("]")
    return entity if any(is_pending((each,)) for each in texts) else ""


def _marks_by_key(call: CallView, entity: str, read: CallView) -> bool:
    """An UPDATE of the entity that sets its state and is narrowed by nothing but its key."""
    if call.function is read.function or not any(e.kind == "db-update" and e.detail == entity for e in call.effects):
        return False
    sets = any(step.startswith("values(") and SETS.search(step) for step in call.query)
    return sets and not any(PENDING.search(step) for step in call.query if not step.startswith("values("))


def _in_one_function(module: ModuleView) -> Iterator[QueueRead]:
    for function in module.functions_reaching("db-read"):
        if not _may_read_queue(function):
            continue
        reading = function.calls_reaching("db-read")
        reads = [each for each in reading if _selects_pending(each) or _asks_for_pending(each)]
        if not reads or any(_claims(call) for call in function.calls):
            continue
        for call in reads:
            mark = _mark(function, call)
            if mark is not None:
                yield QueueRead(call, mark, _entity(call))


def _may_read_queue(function: FunctionView) -> bool:
    """Whether something in it may select rows that wait, told before its code is decoded."""
    if not function.mask & MARKING:
        return False  # nothing in it marks what was read
    if function.mask & GIVEN:
        return True
    index = function.module.index
    for link in function.links_marked(READS):
        if is_pending(link.query) or (link.implicit == "iterate" and link.effects and not link.query):
            return True
        if any(mask_of_function(each, index) & READS for each in link.targets):
            return True
    return False


def _selects_pending(call: CallView) -> bool:
    return call.has("db-read") and not call.has("db-count") and is_pending(_steps(call)) and not _is_single_check(call)


def _asks_for_pending(call: CallView, depth: int = 0) -> bool:
    """Whether a call hands over a statement that selects pending rows, or asks a function that does, and claims nothing."""
    if depth == 0 and not (ASKS.search(call.name) and call.targets) and not handed_sql(call):
        return False
    if not call.reaches("db-read") or call.reaches("db-write", "lock"):
        return False
    if any(is_pending((each,)) and not CLAIMS.search(each) and not counts(each) for each in handed_sql(call)):
        return True
    if depth >= DEEPEST:
        return False
    views = (call.function.module.function(each) for each in (*call.targets, *call.runs))
    return any(
        (_selects_pending(each) and not _claims(each)) or _asks_for_pending(each, depth + 1)
        for view in views
        if view is not None
        for each in view.calls_reaching("db-read")
    )


def _claims(call: CallView) -> bool:
    return any(CLAIMS.search(step) for step in (*call.query, call.fact.callee))


def _steps(call: CallView) -> tuple[str, ...]:
    """The steps of a query; of one that a loop runs (`for job in Job.objects.filter(...)[:10]`) those it was made by."""
    if call.query or call.link.implicit != "iterate":
        return call.query
    function = call.function
    block = next((each for each in function.fact.blocks if each.start == call.fact.position and each.subject), None)
    made = function.call(block.subject.call) if block is not None and block.subject is not None else None
    return chain_steps(made) if made is not None else ()


def is_pending(query: tuple[str, ...]) -> bool:
    """Whether a query selects rows that wait to be worked on."""
    return any(map(_is_pending_step, query))


@lru_cache(maxsize=4_096)
def _is_pending_step(step: str) -> bool:
    """Whether one condition asks for them. What no pattern can match is passed over first: most steps."""
    text = step.casefold()
    if any(each in text for each in PENDING_NEEDS) and PENDING.search(step):
        return True
    return ("<" in text or "__lt" in text) and DUE.search(step) is not None


def _is_single_check(call: CallView) -> bool:
    """Keyed by an id: this is a check of one known row, not a read of a queue."""
    return bool(call.link.key) and not any("limit" in step.lower() for step in call.query)


def _entity(call: CallView) -> str:
    return next((each.effect.detail for each in call.reaches("db-read") if each.effect.detail), "")


def _mark(function: FunctionView, read: CallView) -> CallView | None:
    """The first later call that writes, when the rows are worked on before: something external, or a function of ours."""
    later = [each for each in function.calls if each.follows(read) and each is not read]
    works = [each for each in later if _is_work(each)]
    marks = [each for each in later if each.reaches(*MARKS, spawned=True)]
    if not works or not marks or not (_in_worker(function) or any(each.loops for each in works)):
        return None
    if marks[0].fact.position < works[0].fact.position and marks[0] is not works[0] and not _marks_late(marks[0], read):
        return None  # marked before the work starts
    return marks[0]


def _marks_late(mark: CallView, read: CallView) -> bool:
    """Whether two workers can both have read the row before one marks it: the mark is a statement of its own that asks for
    nothing but the key. One that asks for the state again (`WHERE status = 'pending'`) lets only one of them have it."""
    direct = next((each for each in mark.effects if each.kind in {"db-update", "commit"}), None)
    if direct is None or not _in_worker(mark.function) or is_pending(mark.query):
        return False
    around = mark.loops[: len(mark.loops) - len(read.loops)]
    if around and all(
        each.kind == "for" for each in around
    ):  # row by row: the last is marked after all work on the first
        return mark.loops[len(around) :] == read.loops
    return any(each.kind == "while" for each in mark.loops) and read.loops == mark.loops[-len(read.loops) :]


def _is_work(call: CallView) -> bool:
    if call.link.mode == "spawn" or _hands_to_a_handler(call):
        return True
    return bool(call.reaches("network", "subprocess", "file", "enqueue", "spawn", "sleep", "cpu", spawned=True))


def _hands_to_a_handler(call: CallView) -> bool:
    """Whether a call of ours in a loop gets a callable that this function was given: `await self.send(row, sender)`."""
    given = {each.name for each in call.function.fact.parameters if HANDLERS.search(each.name)}
    return bool(given and call.loops) and any(each.value.text in given for each in call.fact.arguments)


def _in_worker(function: FunctionView) -> bool:
    return function.role == "job" or (not function.role and any(map(_is_endless, function.fact.blocks)))


def _is_endless(block: Block) -> bool:
    return block.kind == "while" and block.subject is not None and block.subject.text in {"True", "1"}
