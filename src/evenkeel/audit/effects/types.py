"""Types as resolution knows them, and how annotations become types.

One small domain for everything a name can stand for:

| `Type.name`        | stands for                                                        |
|---------------------|-------------------------------------------------------------------|
| `app.models.User`   | an instance of a project class or a library type; `args` its type arguments |
| `type`              | a class object; `args[0]` is the class                            |
| `module:app.db`     | a project module                                                  |
| `lib:httpx.get`     | something a library exports, not yet called                       |
| `def:17`            | project function number 17; `args[0]` the receiver it is bound to, then `SUPER` if `super()` gave it |
| `bound:a.B.c`       | method `c` of library type `a.B`; `args[0]` the receiver          |
| `union`             | one of `args`                                                     |
| `var:T`             | a type variable that nothing has bound                            |
| ``                  | unknown                                                           |
"""

from __future__ import annotations

from functools import lru_cache

import msgspec


class Type(msgspec.Struct, frozen=True, cache_hash=True, gc=False):
    """What an expression is. Two types are the same when their texts are. A struct: made, asked and looked up a hundred
    thousand times."""

    name: str
    args: tuple[Type, ...] = ()

    def __str__(self) -> str:
        return f"{self.name}[{', '.join(map(str, self.args))}]" if self.args else self.name


UNKNOWN = Type("")
PENDING = Type("")  # UNKNOWN for now: what stands for an answer while it is looked for
MANAGER = "contextlib._GeneratorContextManager"  # what a `@contextmanager` function gives; args[0] is what it yields
NONE = Type("None")
SUPER = Type("super")  # a method that `super()` gave is that of a base class: none that overrides it is meant
LITERALS = {
    "string": Type("str"),
    "bytes": Type("bytes"),
    "number": Type("int"),
    "list": Type("list"),
    "set": Type("set"),
    "dict": Type("dict"),
    "tuple": Type("tuple"),
    "comprehension": Type("list"),
}


def text_of(of: Type) -> str:
    """`str(of)`, sooner for the many that have no arguments."""
    return _written(of) if of.args else of.name


@lru_cache(maxsize=16_384)
def _written(of: Type) -> str:
    return str(of)


def class_object(of: Type) -> Type:
    """The class itself, not an instance."""
    return Type("type", (of,))


def first_known(types: tuple[Type, ...]) -> Type:
    """The first that says something; a union of several that do."""
    known = tuple(dict.fromkeys(each for each in types if each.name and each.name != "None"))
    if len(known) > 1:
        return Type("union", known[:4])
    return known[0] if known else UNKNOWN


def split_top(text: str, separator: str) -> list[str]:
    """Split at `separator` where no bracket is open: `a[b, c], d` at "," gives `a[b, c]` and `d`."""
    parts, depth, start = [], 0, 0
    for index, character in enumerate(text):
        if character in "[({":
            depth += 1
        elif character in "])}":
            depth -= 1
        elif character == separator and depth == 0:
            parts.append(text[start:index].strip())
            start = index + 1
    parts.append(text[start:].strip())
    return [part for part in parts if part]


@lru_cache(maxsize=16_384)
def parse_type(text: str) -> tuple[str, tuple[str, ...]]:
    """A type expression as head and argument texts; `X | None` is head `|`, quotes are dropped.

    `list[User]` -> ("list", ("User",)); `A | B` -> ("|", ("A", "B")); anything that is no type -> ("", ())."""
    text = text.strip().strip("\"'").strip()
    if not text:
        return "", ()
    alternatives = split_top(text, "|")
    if len(alternatives) > 1:
        return "|", tuple(alternatives)
    head, bracket, rest = text.partition("[")
    head = head.strip()
    if not head.replace(".", "").replace("_", "").replace("$", "").isalnum():
        return "", ()
    if not bracket:
        return head, ()
    return head, tuple(split_top(rest.rstrip().removesuffix("]"), ","))


TRANSPARENT = frozenset(
    {"Annotated", "Required", "NotRequired", "ClassVar", "Final", "ReadOnly", "InitVar", "Mapped", "DynamicMapped"}
    | {"WriteOnlyMapped", "Awaitable", "SkipValidation", "Inject", "FromDishka", "Provide"}
)
ITERATORS = frozenset(
    {"Iterator", "Iterable", "Generator", "AsyncIterator", "AsyncIterable", "AsyncGenerator", "Sequence", "Collection"}
    | {"MutableSequence", "AbstractSet", "Set", "FrozenSet", "List", "Deque", "Tuple", "list", "set", "frozenset"}
    | {"tuple", "deque", "KeysView", "ValuesView", "Container", "Reversible", "ContextManager", "AsyncContextManager"}
    | {"AbstractContextManager", "AbstractAsyncContextManager", "MutableSet"}
)
MAPPINGS = frozenset(
    {"dict", "Dict", "Mapping", "MutableMapping", "DefaultDict", "defaultdict", "OrderedDict", "WeakValueDictionary"}
    | {"WeakKeyDictionary", "Counter", "ChainMap"}
)


def element_of(type_: Type) -> Type:
    """What `for x in value` binds, for the built-in containers; UNKNOWN for anything else."""
    short = type_.name.rpartition(".")[2]
    if type_.args and (short in ITERATORS or short in MAPPINGS):
        return type_.args[0]
    return UNKNOWN


def value_of(type_: Type) -> Type:
    """What `value[key]` gives, for the built-in containers."""
    short = type_.name.rpartition(".")[2]
    if short in MAPPINGS and len(type_.args) > 1:
        return type_.args[1]
    return element_of(type_) if short in ITERATORS else UNKNOWN
