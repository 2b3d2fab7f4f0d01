"""Effect catalogues: which library call does what, as data.

A catalogue is a TOML file (`source/<language>/effects/*.toml`, and the user's `[tool.evenkeel.effects]`). Names are
dotted as importers write them, builtins bare (`open`, `list`); every other path under which the library exports the
same thing is an alias.

Keys
    `{a,b}` in a key stands for each of the alternatives: `"requests.{get,post}"` are two calls; in the value of an
              alias `{}` is the alternative chosen last: `"sqlmodel.{select,text}" = "sqlalchemy.{}"`
    `module.Class.*` (calls and attributes) is every public member that no other key names
    `module.Class.__call__` is a call of an instance, `module.Class.__getitem__` a subscript of it
    `module.function()` (types) is what the function gives when the library has no public name for it

Type expressions (`returns`, `enter`, `iterates`, `type`):
    a dotted name, optionally with arguments in brackets: `sqlalchemy.engine.Result[$0]`, `list[$T]`
    `A|B`     the first of them that is known
    `$self`   the receiver's type (fluent interfaces)
    `$class`  the class the call is made on (class methods: `User.get(...)` returns `$class`)
    `$0` ...  the class passed as that positional argument (`session.get(User, 1)` returns `$0`); where a query is
              passed (a value whose type has role `query`) the class it selects; for any other value its type, awaited
    `$r0` ... what the callable passed as that argument returns (`asyncio.to_thread(load)`)
    `$e0` ... the element type of that argument (`sorted(users)` returns `list[$e0]`)
    `$keyword:NAME`  the class passed as that keyword argument
    `$T`      the first type argument of the receiver's type (`Result[User].first()` returns `$T`), `$U` the second
For a coroutine function `returns` is what `await` gives.

Entities (`entity`): "0", "1" ... the class passed as that argument (as `$0` above); "self" the first type argument of
the receiver's type, or the class the call is made on; "keyword:NAME"; any other text is the entity itself.
"""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING, Literal, TypeVar

import msgspec

if TYPE_CHECKING:
    from collections.abc import Collection

EntryKind = Literal[
    "handler", "websocket", "task", "consumer", "startup", "cli", "migration", "signal", "cron", "dependency"
]

Role = Literal[
    "",
    "session",
    "connection",
    "cursor",
    "transaction",
    "engine",
    "query",
    "entity",
    "lock",
    "queue",
    "cache",
    "client",
    "response",
    "semaphore",
    "file",
    "pool",
    "task-group",
]


class CallSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What one library callable does."""

    effects: tuple[str, ...] = ()  # "kind" or "kind:detail"
    blocking: bool = False  # the calling thread waits inside it
    returns: str = ""  # type expression
    entity: str = ""
    parameters: tuple[
        str, ...
    ] = ()  # names of the positional parameters: any argument number here may come by keyword too
    statement: int = -1  # argument that is the SQL text or statement object: db-read or db-write follow from it, beside
    # `effects`; when it cannot be known the call counts as a db-read
    builds: int = (
        -1
    )  # argument that is the SQL text of a statement which this call builds without running it (`text(...)`)
    named: bool = False  # a method that runs the statement of its own name, out of an `.sql` file (aiosql)
    adds: tuple[
        str, ...
    ] = ()  # effects that the statement it builds or stands in has when run (`func.count()`: db-count)
    key: int = -1  # argument that is the key of a read by key; -2: a filter that names the key counts
    runs: int = -1  # argument that is a callable (or coroutine) which this call runs: offload, spawn, gather, callbacks
    applies: int = -1  # argument over whose elements it runs that callable, one by one (`map(f, xs)`)
    wraps: int = -1  # argument that is a callable of which this returns an offloaded version (`sync_to_async(f)`)
    registers: int = -1  # argument that is a function which becomes an entry point of kind `entry`
    entry: EntryKind | None = None
    consumes: int = (
        -1
    )  # argument that it iterates to the end or measures: a lazy query passed there reaches the database
    serialises: int = -1  # argument of which it reads an attribute for each field of the class it is called on
    related: str = ""  # of a relationship: the type through which its many side is queried (a related manager)
    bounded: bool = False  # opens a region with bounded concurrency or a time-out (semaphores, wait_for)
    unless: tuple[
        str, ...
    ] = ()  # `keyword=literal`: called so it has none of its effects (`check_deliverability=False`); `keyword`: without it


class TypeSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What one library type means."""

    aliases: tuple[str, ...] = ()  # other import paths of the same type
    bases: tuple[str, ...] = ()
    names: tuple[str, ...] = ()  # untyped variables and attributes of these names are taken for it (certain=False)
    role: Role = ""
    is_async: bool = False
    enter: str = ""  # type bound by `with x as y` ("" = $self)
    enter_effects: tuple[str, ...] = ()
    exit_effects: tuple[str, ...] = ()  # e.g. commit, rollback (on error), close
    blocking: bool = False  # of enter, exit and iteration
    statement_effects: tuple[str, ...] = ()  # what running a statement object of this type does
    iterates: str = ""  # element type of `for x in value`
    iterate_effects: tuple[str, ...] = ()  # lazy queries reach the database when iterated, listed, counted
    await_effects: tuple[str, ...] = ()  # lazy queries that reach the database when awaited
    awaited: str = ""  # type that `await value` gives
    implied_by: tuple[
        str, ...
    ] = ()  # what makes a class of it whose own bases the catalogue does not know: an attribute of the class body
    # (`__tablename__`), or a callable that one is made by (`django.db.models.*Field`)
    entry_methods: tuple[str, ...] = ()  # methods of subclasses that are entry points (class-based views)
    entry: EntryKind | None = None
    element_methods: tuple[str, ...] = ()  # methods of subclasses that the framework calls for each element of a list,
    # with that element: names, or beginnings that end in `*`
    imports: tuple[str, ...] = ()  # filled from the file's `imports`: packages that make `names` apply


class DecoratorSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What a decorator makes of a function."""

    entry: EntryKind | None = None
    threaded: bool = False  # a plain `def` so decorated runs in a worker thread, not on the event loop
    on_loop: str = (
        ""  # a plain `def` so decorated runs on the event loop unless it is given this, `sync_to_thread=True`
    )
    scope: Literal["", "transaction", "session"] = ""  # the body runs inside one
    cached: bool = False
    runs_in_thread: bool = False  # `@sync_to_async`, Home-Assistant-like executor decorators
    context_manager: bool = False  # `contextlib.contextmanager`: used with `with`, yields its value
    is_property: bool = False
    type: str = ""  # type whose methods the decorated function has besides (`task.delay`)


class AttributeSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What reading an attribute of a library type gives and does (properties that reach a disk or a database)."""

    type: str = ""
    effects: tuple[str, ...] = ()
    blocking: bool = False


class Catalogue(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One file, or all of them merged.

    `calls` keys: `module.function`, `module.Class` (construction), `module.Class.method`; methods are inherited
    through `types.*.bases`. `attributes` keys: `module.Class.attribute`. `decorators` keys: what the decorator's chain
    resolves to. Merged, the keys are expanded and `aliases` holds those of the types too.
    """

    library: str = ""
    source: tuple[str, ...] = ()  # official pages the facts come from
    imports: tuple[str, ...] = ()  # top-level packages whose import anywhere in the project makes `names` apply
    types: dict[str, TypeSpec] = {}
    calls: dict[str, CallSpec] = {}
    attributes: dict[str, AttributeSpec] = {}
    decorators: dict[str, DecoratorSpec] = {}
    aliases: dict[str, str] = {}  # other import path -> canonical name, for functions and whole modules


class TypeExpression(msgspec.Struct, frozen=True, array_like=True):
    """A parsed type expression. Alternatives (`A|B`) have the name `|` and the alternatives as arguments."""

    name: str
    arguments: tuple[TypeExpression, ...] = ()


_ALIAS_STEPS = 8  # longest real chain: 3; the bound keeps a user's circle of prefixes from running for ever
_Spec = TypeVar("_Spec", CallSpec, AttributeSpec, DecoratorSpec)
_TOKEN = re.compile(r"\s*(\$keyword:\w+|\$[re]?\d+|\$?[A-Za-z_][\w.]*(?:\(\)[\w.]*)*|[\[\],|])")


@functools.lru_cache(maxsize=4096)
def parse_type(text: str) -> TypeExpression:
    """Read a type expression; raises ValueError naming the place where it cannot be read."""
    tokens: list[str] = []
    position = 0
    while text[position:].strip():
        match = _TOKEN.match(text, position)
        if match is None:
            raise ValueError(f"cannot read the type expression {text!r} at {text[position:]!r}")
        tokens.append(match[1])
        position = match.end()
    expression, rest = _alternatives(tokens)
    if rest:
        raise ValueError(f"unexpected {rest[0]!r} in the type expression {text!r}")
    return expression


def _alternatives(tokens: list[str]) -> tuple[TypeExpression, list[str]]:
    first, rest = _term(tokens)
    found = [first]
    while rest and rest[0] == "|":
        following, rest = _term(rest[1:])
        found.append(following)
    return (first if len(found) == 1 else TypeExpression("|", tuple(found))), rest


def _term(tokens: list[str]) -> tuple[TypeExpression, list[str]]:
    if not tokens or tokens[0] in "[],|":
        raise ValueError("a type expression needs a name here" + (f", not {tokens[0]!r}" if tokens else ""))
    name, rest = tokens[0], tokens[1:]
    arguments: list[TypeExpression] = []
    if rest and rest[0] == "[":
        while rest and rest[0] in "[,":
            argument, rest = _alternatives(rest[1:])
            arguments.append(argument)
        if not rest or rest[0] != "]":
            raise ValueError(f"the bracket after {name!r} in a type expression is not closed")
        rest = rest[1:]
    return TypeExpression(name, tuple(arguments)), rest


def canonical(catalogue: Catalogue, name: str) -> str:
    """The name under which the catalogue knows `name`: aliases apply to it and to every dotted prefix of it."""
    name = name.removeprefix("builtins.")
    for _ in range(_ALIAS_STEPS):
        renamed = _renamed(catalogue.aliases, name)
        if renamed == name:
            break
        name = renamed
    return name


def _renamed(aliases: dict[str, str], name: str) -> str:
    end = len(name)
    while end > 0:
        target = aliases.get(name[:end])
        if target is not None:
            return target + name[end:]
        end = name.rfind(".", 0, end)
    return name


def lineage(catalogue: Catalogue, name: str) -> tuple[str, ...]:
    """The library type and its bases, nearest first, each once; types the catalogue does not know have no bases."""
    order: dict[str, None] = {}
    waiting = [name]
    while waiting:
        current = waiting.pop(0)
        if current not in order:
            order[current] = None
            spec = catalogue.types.get(current)
            waiting = [*(spec.bases if spec else ()), *waiting]
    return tuple(order)


def find_call(catalogue: Catalogue, owner: str, method: str) -> CallSpec | None:
    """The spec of a method of the library type `owner`, inherited ones and `*` included; None when nothing is known."""
    return _member(catalogue, catalogue.calls, owner, method)


def find_attribute(catalogue: Catalogue, owner: str, attribute: str) -> AttributeSpec | None:
    """The spec of an attribute of the library type `owner`, inherited ones and `*` included.

    `*` does not hide a method that `calls` names: where any attribute is a namespace that behaves like the client
    (`client.chat.completions`), a call of it is the client's `__call__`, and `client.close` stays what it is."""
    exact = _exact(catalogue.attributes, lineage(catalogue, owner), attribute)
    if exact is not None or _exact(catalogue.calls, lineage(catalogue, owner), attribute) is not None:
        return exact
    return _member(catalogue, catalogue.attributes, owner, attribute)


def find_decorator(catalogue: Catalogue, owner: str, method: str) -> DecoratorSpec | None:
    """The spec of a decorator made by a method of `owner`: `@router.get(...)`."""
    return _member(catalogue, catalogue.decorators, owner, method)


def _member(catalogue: Catalogue, table: dict[str, _Spec], owner: str, member: str) -> _Spec | None:
    line = lineage(catalogue, owner)
    spec = _exact(table, line, member)
    if spec is not None or member.startswith("_"):
        return spec
    return _exact(table, line, "*")


def _exact(table: dict[str, _Spec], line: tuple[str, ...], member: str) -> _Spec | None:
    return next((table[key] for name in line if (key := f"{name}.{member}") in table), None)


def is_subtype(catalogue: Catalogue, name: str, base: str) -> bool:
    """Whether the library type `name` is `base` or inherits from it."""
    return base in lineage(catalogue, name)


def conventions(catalogue: Catalogue, imported: Collection[str]) -> dict[str, tuple[str, ...]]:
    """Variable name -> types an untyped variable of that name may be, given the top-level packages the project imports.

    Several candidates are common (`session`: synchronous or async); the caller settles it by what is awaited."""
    found: dict[str, list[str]] = {}
    for name, spec in catalogue.types.items():
        if any(package in imported for package in spec.imports):
            for variable in spec.names:
                found.setdefault(variable, []).append(name)
    return {variable: tuple(types) for variable, types in sorted(found.items())}
