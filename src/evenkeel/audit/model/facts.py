"""Facts: what a front end saw in one file. A fact is seen, never judged, and never holds a syntax tree.

Facts are msgspec structs encoded as arrays, so that they are small in the cache and fast to decode. Positions are
1-based lines and 0-based columns. `position` values grow in the order in which the language evaluates things inside one
function: the arguments of a call come before the call itself.

Expressions are kept as *chains*: dotted text as written, whose root is a name (`self.session.execute`), `<call>` where the
root is the result of another call (its index stands in `receiver`/`call`), `<str>` for a string literal, `<expr>` for
anything else. A subscript is written `[]`: `locks[key].acquire` is `locks[].acquire`. A division is written `/`:
`(folder / name).read_text` is `folder./.read_text`, since paths are put together so.
"""

from __future__ import annotations

from typing import Literal

import msgspec

END = 1 << 60  # a position after everything
BlockKind = Literal[
    "body", "if", "else", "for", "while", "with", "try", "except", "finally", "comprehension", "match", "case"
]
ValueKind = Literal[
    "name",  # a chain: `x`, `x.id`, `settings.db.url`
    "call",  # the result of call number `call`
    "bytes",  # a bytes literal
    "string",  # a string literal; SQL text is kept whole, f-string holes are written `{}`
    "number",
    "constant",  # None, True, False, ...
    "list",
    "dict",
    "set",
    "tuple",
    "comprehension",  # list/set/dict comprehension or generator expression
    "lambda",  # function number `function`
    "either",  # `a or b`, `a if c else b`
    "other",
    "none",  # no value there (a bare `return`)
]


class Value(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """An expression as far as rules and resolution need it."""

    kind: ValueKind
    text: str  # as written, white space folded, cut at 200 characters (SQL strings: 8,000); of a "name" its chain
    call: int = -1  # index into Function.calls; for "name" and "either": the call the chain or first branch starts from
    awaited: bool = False
    size: int = -1  # elements of a literal collection; length of a string literal; of a slice with an end (kind "name")
    # that end, 0 when it is no literal
    function: int = -1  # index into FileFacts.functions, for lambda
    names: tuple[
        str, ...
    ] = ()  # chains read anywhere inside the expression, in order, without duplicates; of an element
    # `x["key"]`, last, the key in single quotes


class Argument(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One argument of a call. `keyword` is "" when positional, "*" or "**" when unpacked."""

    keyword: str
    value: Value


class Block(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A region of a function that matters to control flow; blocks form a tree through `parent`."""

    kind: BlockKind
    parent: int  # index into Function.blocks; -1 for the body
    line: int
    end_line: int
    start: int  # position of the region's first and last byte, comparable with Call.position
    end: int
    subject: Value | None = None  # if/while: condition; for/comprehension: iterable; with: manager; except: types
    targets: tuple[str, ...] = ()  # loop variables, `with ... as`, `except ... as`
    is_async: bool = False
    exits: bool = False  # its last statement is return, raise, continue or break
    origin: int = -1  # else/except/finally: index of the if/try/for/while block it belongs to
    breaks: bool = False  # its last statement is break


class Call(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A call expression. Calls of a function are sorted by `position` (evaluation order)."""

    callee: str  # chain; `<call>.all` when it is called on the result of call number `receiver`
    receiver: int
    line: int
    end_line: int
    column: int
    position: int
    block: int  # innermost enclosing block
    arguments: tuple[Argument, ...] = ()
    awaited: bool = False
    parent: int = -1  # index of the call in whose arguments it stands
    discarded: bool = False  # the result is thrown away: the call is a statement of its own (`await f()` too)
    keys: tuple[str, ...] = ()  # of each `[]` in the callee what stands in it: `'db'` a literal, `DB` a name, "" others


class Assignment(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """`targets = value`; an annotated declaration without value has value kind "none"."""

    targets: tuple[str, ...]  # chains; unpacking gives several; a subscript target is `cache[]`
    value: Value
    line: int
    position: int
    block: int
    operator: str = "="  # "=", "+=", ":=", "del"
    annotation: str = ""
    unpacked: bool = False  # targets came from tuple unpacking
    keys: tuple[
        str, ...
    ] = ()  # chains read in the subscripts of targets: `cache[user.id] = x` has `user.id`; a literal
    # key stands last, in single quotes


class Read(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """An attribute read that is not a call's callee: `order.customer.name`. Deduplicated per (chain, block)."""

    chain: str
    line: int
    position: int
    block: int
    receiver: int = -1  # call whose result the chain starts from
    subscript: bool = False  # the chain is then subscripted: `users[0]`


class Return(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A return or yield."""

    value: Value
    line: int
    position: int
    block: int
    kind: Literal["return", "yield", "yield from", "raise"] = "return"


class Parameter(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A parameter. `default` may be a call (`Depends(get_session)`) that is number `default.call` of the function."""

    name: str
    annotation: str = ""
    default: Value | None = None
    kind: Literal["positional", "keyword", "*", "**"] = "positional"


class Decorator(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A decorator: the chain and, when it is called, its arguments (call indices inside are always -1)."""

    chain: str
    line: int
    arguments: tuple[Argument, ...] = ()
    called: bool = False


class Function(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A function, method, lambda, or (always number 0) the module's own top-level code, named `<module>`."""

    name: str
    qualname: str  # dotted within the module: `Orders.total`, `make.<locals>.inner`, `<module>`
    line: int
    end_line: int
    parent: int = -1  # index of the enclosing function; -1 for the module itself
    owner: int = -1  # index into FileFacts.classes, for methods
    is_async: bool = False
    is_generator: bool = False
    returns: str = ""  # annotation as written
    parameters: tuple[Parameter, ...] = ()
    decorators: tuple[Decorator, ...] = ()
    blocks: tuple[Block, ...] = ()
    calls: tuple[Call, ...] = ()
    assignments: tuple[Assignment, ...] = ()
    reads: tuple[Read, ...] = ()
    exits: tuple[Return, ...] = ()
    globals: tuple[str, ...] = ()  # names declared global or nonlocal


class Class(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A class: bases as written (`Generic[T]` included) and its body's assignments and declarations.

    Calls in the class body belong to the function that encloses the class (usually `<module>`); the `call` of an
    attribute's value is an index into that function's calls."""

    name: str
    qualname: str
    line: int
    end_line: int
    parent: int  # index of the enclosing function
    owner: int = -1  # enclosing class
    bases: tuple[str, ...] = ()
    keywords: tuple[Argument, ...] = ()
    decorators: tuple[Decorator, ...] = ()
    attributes: tuple[Assignment, ...] = ()


class Import(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A local name bound to a dotted target: `from a.b import c as d` is name `d`, target `a.b.c`.

    Relative imports are already made absolute. A star import has name `*` and the module as target.
    `import a.b` has name `a` and target `a`."""

    name: str
    target: str
    line: int
    function: int = 0  # index of the function whose scope it is in


class FileFacts(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """All facts of one file."""

    path: str  # relative to the audited root, forward slashes
    module: str  # dotted module name as importers write it, "" when it cannot be known
    language: str
    lines: int  # lines that are neither blank nor comment only
    functions: tuple[Function, ...] = ()
    classes: tuple[Class, ...] = ()
    imports: tuple[Import, ...] = ()
    errors: tuple[int, ...] = ()  # lines of syntax that could not be read
    suppressions: tuple[tuple[int, str], ...] = ()  # (line, text after `evenkeel:`) of suppression comments
    suppressed_lines: tuple[tuple[int, int], ...] = ()  # first and last line that each suppression speaks of


class FileOutline(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The facts of one file with its functions left encoded: most are never asked for. Same fields as FileFacts."""

    path: str
    module: str
    language: str
    lines: int
    functions: tuple[msgspec.Raw, ...] = ()
    classes: tuple[Class, ...] = ()
    imports: tuple[Import, ...] = ()
    errors: tuple[int, ...] = ()
    suppressions: tuple[tuple[int, str], ...] = ()
    suppressed_lines: tuple[tuple[int, int], ...] = ()


def root_of(chain: str) -> str:
    """The name a chain starts from: `rows` for `rows[].name`."""
    return chain.partition(".")[0].partition("[")[0]
