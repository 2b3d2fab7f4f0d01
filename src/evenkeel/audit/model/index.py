"""The linked index: what resolution and propagation found, in the form in which it is handed to the workers."""

from __future__ import annotations

from array import array
from typing import Literal

import msgspec

from evenkeel.audit.model.effects import Effect
from evenkeel.audit.model.facts import Call
from evenkeel.audit.model.finding import Remark
from evenkeel.audit.model.tables import Blobs, Table

CallMode = Literal["", "offload", "spawn", "gather", "register"]
ImplicitKind = Literal["", "iterate", "enter", "leave", "read", "set", "inject", "evaluate"]
Role = Literal[
    "handler", "websocket", "task", "consumer", "cron", "startup", "cli", "migration", "signal", "dependency", ""
]


class Link(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What one call is, beyond its fact."""

    call: int  # index into the calls of the linked function (facts first, then implicit ones)
    library: str = ""  # dotted name when it calls a library
    targets: tuple[int, ...] = ()  # project functions it may call
    effects: tuple[Effect, ...] = ()  # of the call itself, not of its targets
    mode: CallMode = ""
    runs: tuple[int, ...] = ()  # project functions that are run through an argument (`to_thread(f)`)
    receiver: str = ""  # type of the receiver
    result: str = ""  # type of the result
    query: tuple[str, ...] = ()  # steps of the query it executes: "select(User)", "where(...)", or the SQL text
    certain: bool = True
    implicit: ImplicitKind = ""
    key: str = ""  # what a read by key is keyed with, as written
    bounded: bool = False
    variables: tuple[tuple[str, str], ...] = ()  # type variables of the targets' class, as the receiver binds them
    applied: int = -1  # argument over whose elements `runs` is run, one by one (`map(f, xs)`)


class LinkedFunction(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One function's links; `implicit` are calls that the language makes without writing them (properties, `with`, `for`)."""

    id: int
    implicit: tuple[Call, ...] = ()
    links: tuple[Link, ...] = ()
    types: tuple[tuple[str, str], ...] = ()  # parameter or variable -> type, where known
    scope: str = ""  # "transaction" or "session" when a decorator opens one around the body
    cached: bool = False
    shape: int = 0  # what stands in its code, see model/shapes.py
    looped: tuple[int, ...] = ()  # the calls that a loop repeats, of those with links


class Reached(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """An effect that running a function has, and the next step of the way to it."""

    effect: Effect
    line: int  # in this function
    next: int = -1  # function id that has it too; -1: the call on `line` itself has it
    depth: int = 0
    spawned: bool = False  # happens in a task of its own
    looped: bool = False  # some step on the way repeats it
    column: int = 0
    kept: bool = False  # only the first time for one object: its result is kept on `self`
    guard: tuple[int, ...] = ()  # a flag of the function that has to be raised for it, see model/flags.py
    statement: int = -1  # the parameter that holds the statement which is run: what callers pass says what it does


class Fetch(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A function that loads `entity` by the key it is given as parameter number `parameter` (self not counted)."""

    entity: str
    parameter: int
    line: int
    next: int = -1
    identity: bool = False  # free when the identity map already holds it
    others: tuple[int, ...] = ()  # parameters that are part of the key as well
    partial: bool = False  # gives chosen columns, not the row
    unique: bool = True  # the key tells one row from all others; False for "the first of this owner"


class FunctionInfo(msgspec.Struct, array_like=True, gc=False):
    """What every worker may know of any function of the project."""

    id: int
    name: str  # qualified
    file: str
    line: int
    end_line: int
    is_async: bool
    parameters: tuple[str, ...]  # without self and cls
    kind: str  # of its file: code, test, migration, script, ...
    is_property: bool = False
    returns: str = ""
    entry: Role = ""  # is itself an entry point
    roles: tuple[Role, ...] = ()  # kinds of entry points that reach it
    hot: bool = False  # reached from a request handler, consumer loop or stream
    caller: int = -1  # towards the nearest entry point
    caller_line: int = 0
    reaches: tuple[Reached, ...] = ()
    fetches: tuple[Fetch, ...] = ()
    holds_session: bool = False  # is given one, or keeps one on `self`
    private_loop: bool = False  # async, and run only by loops that serve one caller (`asyncio.run` in a job)
    per_element: bool = False  # the framework calls it for each element of a list, which is its first parameter


class Relation(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A relationship attribute of an entity. `lazy` False when the model loads it eagerly by default."""

    name: str
    target: str
    lazy: bool
    many: bool


class Entity(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A persistent class of the project."""

    name: str  # qualified class name
    table: str
    columns: int
    relations: tuple[Relation, ...]
    file: str
    line: int
    wide: tuple[str, ...] = ()  # columns of large types (text, JSON, binary)


def function_table(blobs: Blobs) -> Table[FunctionInfo]:
    """The functions of a project, by id, from their encoded infos."""
    return Table(blobs, msgspec.msgpack.Decoder(FunctionInfo).decode)


class Index(msgspec.Struct, gc=False):
    """Everything the workers get beside the context store. `linked[i]` belongs to `facts[i]`, both encoded, packed or not."""

    files: tuple[tuple[str, str], ...]  # (path, kind)
    facts: Blobs
    linked: Blobs
    functions: Table[FunctionInfo]
    entities: dict[str, Entity]
    roles: dict[str, str]  # type name -> role (session, connection, transaction, ...), project subclasses included
    kinds: list[frozenset[str]]  # effect kinds that each file's functions have or reach
    lines: int
    unresolved: int = 0  # calls on receivers that nothing types
    lasting: frozenset[str] = frozenset()  # project classes with an instance that lives as long as the process
    numbers: dict[str, int] = {}  # path -> its place in `files`
    mentions: bytes = b""  # the filters of all files' words, see model/mentions.py
    statements: dict[str, str] = {}  # that stand in `.sql` files, by name
    remarks: tuple[Remark, ...] = ()  # what comments say to evenkeel
    masks: array[int] = msgspec.field(default_factory=lambda: array("Q"))  # of functions, see model/masks.py
