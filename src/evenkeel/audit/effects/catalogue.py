"""Effect catalogues: which library call does what, as data.

A catalogue is a TOML file (`source/<language>/effects/*.toml`, and the user's `[tool.evenkeel.effects]`). Names are dotted as
importers write them; every other path under which the library exports the same thing is an alias.

Type expressions (`returns`, `enter`, `iterates`, `type`):
    a dotted name, optionally with arguments in brackets: `sqlalchemy.engine.Result[$0]`, `list[$T]`
    `$self`   the receiver's type (fluent interfaces)
    `$class`  the class the call is made on (class methods: `User.get(...)` returns `$class`)
    `$0` ...  the class passed as that positional argument (`session.get(User, 1)` returns `$0`)
    `$T`      the first type argument of the receiver's type (`Result[User].first()` returns `$T`), `$U` the second

Entities (`entity`): "0", "1" ... the class passed as that argument; "self" the first type argument of the receiver's type, or the
class the call is made on; "keyword:NAME"; any other text is the entity itself.
"""

from __future__ import annotations

from typing import Literal

import msgspec

EntryKind = Literal["handler", "websocket", "task", "consumer", "startup", "cli", "migration", "signal", "cron", "dependency"]


class CallSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What one library callable does."""

    effects: tuple[str, ...] = ()  # "kind" or "kind:detail"
    blocking: bool = False  # the calling thread waits inside it
    returns: str = ""  # type expression
    entity: str = ""
    statement: int = -1  # argument that is the SQL text or statement object: db-read or db-write follow from it
    key: int = -1  # argument that is the key of a read by key; -2: a filter that names the key counts
    runs: int = -1  # argument that is a callable (or coroutine) which this call runs: offload, spawn, gather, callbacks
    wraps: int = -1  # argument that is a callable of which this returns an offloaded version (`sync_to_async(f)`)
    registers: int = -1  # argument that is a function which becomes an entry point of kind `entry`
    entry: EntryKind | None = None
    bounded: bool = False  # opens a region with bounded concurrency or a time-out (semaphores, wait_for)


class TypeSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What one library type means."""

    aliases: tuple[str, ...] = ()  # other import paths of the same type
    bases: tuple[str, ...] = ()
    names: tuple[str, ...] = ()  # untyped variables and attributes of these names are taken for it (certain=False)
    role: Literal["", "session", "connection", "cursor", "transaction", "engine", "query", "entity", "lock", "queue", "cache",
                  "client", "response", "semaphore", "file", "pool", "task-group"] = ""  # fmt: skip
    is_async: bool = False
    enter: str = ""  # type bound by `with x as y` ("" = $self)
    enter_effects: tuple[str, ...] = ()
    exit_effects: tuple[str, ...] = ()  # e.g. commit, rollback (on error), close
    blocking: bool = False  # of enter, exit and iteration
    iterates: str = ""  # element type of `for x in value`
    iterate_effects: tuple[str, ...] = ()  # lazy queries reach the database when iterated, listed, counted
    entry_methods: tuple[str, ...] = ()  # methods of subclasses that are entry points (class-based views)
    entry: EntryKind | None = None


class DecoratorSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What a decorator makes of a function."""

    entry: EntryKind | None = None
    threaded: bool = False  # a plain `def` so decorated runs in a worker thread, not on the event loop
    scope: Literal["", "transaction", "session"] = ""  # the body runs inside one
    cached: bool = False
    runs_in_thread: bool = False  # `@sync_to_async`, Home-Assistant-like executor decorators
    context_manager: bool = False  # `contextlib.contextmanager`: used with `with`, yields its value
    is_property: bool = False


class AttributeSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What reading an attribute of a library type gives and does (properties that reach a disk or a database)."""

    type: str = ""
    effects: tuple[str, ...] = ()
    blocking: bool = False


class Catalogue(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One file, or all of them merged.

    `calls` keys: `module.function`, `module.Class` (construction), `module.Class.method`; methods are inherited through
    `types.*.bases`. `attributes` keys: `module.Class.attribute`. `decorators` keys: what the decorator's chain resolves to.
    """

    library: str = ""
    source: tuple[str, ...] = ()  # official pages the facts come from
    imports: tuple[str, ...] = ()  # top-level packages whose import anywhere in the project makes `names` apply
    types: dict[str, TypeSpec] = {}
    calls: dict[str, CallSpec] = {}
    attributes: dict[str, AttributeSpec] = {}
    decorators: dict[str, DecoratorSpec] = {}
    aliases: dict[str, str] = {}  # other import path -> canonical name, for functions
