"""Facts under construction: one `FileDraft` a file, one `Scope` a function, filled in source order.

Everything in a scope is appended when its last byte has been seen, so calls, assignments, reads and exits come out
sorted by `position` without a sort: inner calls end before outer ones, receivers before the calls made on them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, TypedDict, Unpack

import msgspec

from evenkeel.audit.model.facts import (
    Assignment,
    Block,
    BlockKind,
    Call,
    Class,
    Function,
    Import,
    Read,
    Return,
    Value,
    ValueKind,
)
from evenkeel.audit.source.python.grammar import by_kind

if TYPE_CHECKING:
    from tree_sitter import Node

Statement = Callable[["Scope", "Node", int], None]  # records one statement that stands in that block
Scan = Callable[["Scope", "Node", int], None]  # records everything inside an expression
Evaluate = Callable[["Scope", "Node", int], Value]  # the same, and says what the expression is

EXCERPT_LENGTH = 200  # characters kept of an expression
# Bytes looked at to fold white space: a literal table of 2 MB must not be copied for each value that encloses it.
WINDOW_LENGTH = 1_000


class Handlers:
    """What to do with each kind of syntax node, by its number; put together by `reader`, so that imports make no cycle."""

    __slots__ = ("scans", "statements", "values")

    def __init__(
        self, statements: Mapping[str, Statement], scans: Mapping[str, Scan], values: Mapping[str, Evaluate]
    ) -> None:
        self.statements = by_kind(statements, scan)
        self.scans = by_kind(scans, contents)
        self.values = by_kind(values, values[""])  # "" is for every kind that has no entry


class MisreadError(Exception):
    """The grammar took `type(x).y = z` for a type alias; the file has to be parsed again with the word hidden."""


class FileDraft:
    """A file being read. `text` has one character a byte, so that byte offsets index it; `written` gives real text."""

    __slots__ = (
        "ascii",
        "classes",
        "dotted",
        "errors",
        "functions",
        "handlers",
        "imports",
        "names",
        "package",
        "plain",
        "reparsed",
        "text",
    )

    def __init__(self, source: bytes, package: str, handlers: Handlers, *, reparsed: bool = False) -> None:
        self.text = source.decode("latin-1")
        self.ascii = source.isascii()
        self.package = package
        self.handlers = handlers
        self.reparsed = reparsed
        self.plain: dict[str, Value] = {}  # values of bare names and literals, which are the same each time
        self.dotted: dict[str, Value] = {}  # and of dotted names; both by their bytes in the source
        self.names: list[str] = []  # chains in reading order; a value takes those logged while it was read
        self.functions: list[Function] = []
        self.classes: list[Class] = []
        self.imports: list[Import] = []
        self.errors: set[int] = set()


class Details(TypedDict, total=False):
    """What only some blocks have; see `Block`."""

    subject: Value | None
    targets: tuple[str, ...]
    is_async: bool
    origin: int


class Scope:
    """A function being read (or the module, number 0). `sink` takes assignments: a class body's while one is read."""

    __slots__ = (
        "assignments",
        "blocks",
        "calls",
        "exits",
        "file",
        "globals",
        "index",
        "is_generator",
        "names",
        "owner",
        "prefix",
        "reads",
        "scans",
        "seen",
        "sink",
        "values",
    )

    def __init__(self, file: FileDraft, index: int, prefix: str) -> None:
        self.file = file
        self.scans = file.handlers.scans
        self.values = file.handlers.values
        self.names = file.names
        self.index = index
        self.prefix = prefix  # of qualified names of what is defined here
        self.owner = -1  # class whose body is being read
        self.is_generator = False
        self.blocks: list[Block] = []
        self.calls: list[Call] = []
        self.assignments: list[Assignment] = []
        self.sink = self.assignments
        self.reads: list[Read] = []
        self.seen: set[tuple[str, int, int, bool]] = set()
        self.exits: list[Return] = []
        self.globals: list[str] = []

    def finished(self, header: Function) -> Function:
        """The function with everything that was recorded."""
        return msgspec.structs.replace(
            header,
            is_generator=self.is_generator,
            blocks=tuple(self.blocks),
            calls=tuple(self.calls),
            assignments=tuple(self.assignments),
            reads=tuple(self.reads),
            exits=tuple(self.exits),
            globals=tuple(self.globals),
        )


def reserve(file: FileDraft, name: str, qualname: str, line: int, parent: int) -> int:
    """A number for a function whose facts come later, so that outer functions have lower numbers than inner ones."""
    file.functions.append(Function(name, qualname, line, line, parent))
    return len(file.functions) - 1


def open_block(
    scope: Scope, kind: BlockKind, parent: int, header: Node, region: tuple[int, Node], **details: Unpack[Details]
) -> int:
    """Appends a block and answers its number. `header` gives the line; the region goes from a byte to a node's end."""
    start, last = region
    line, end_line = header.start_point[0] + 1, last.end_point[0] + 1
    scope.blocks.append(Block(kind, parent, line, end_line, start, last.end_byte, **details))
    return len(scope.blocks) - 1


def add_read(scope: Scope, chain: tuple[str, int], node: Node, block: int, *, subscript: bool = False) -> None:
    """Records an attribute or element read, once per chain and block."""
    text, receiver = chain
    key = (text, block, receiver, subscript)
    if key in scope.seen:
        return
    scope.seen.add(key)
    scope.reads.append(Read(text, node.start_point[0] + 1, node.end_byte, block, receiver, subscript))


def real(file: FileDraft, text: str) -> str:
    """A slice of `file.text` with its bytes read as UTF-8; a character cut in half at the end is dropped."""
    return text if file.ascii or text.isascii() else text.encode("latin-1").decode("utf-8", "ignore")


def written(file: FileDraft, node: Node) -> str:
    """The node's text as written."""
    text = file.text[node.start_byte : node.end_byte]
    return text if file.ascii or text.isascii() else real(file, text)


def folded(file: FileDraft, node: Node, limit: int = EXCERPT_LENGTH) -> str:
    """The node's text with white space folded, cut at `limit` characters."""
    start, end = node.start_byte, node.end_byte
    if end - start > limit + WINDOW_LENGTH:
        end = start + limit + WINDOW_LENGTH
    text = file.text[start:end]
    if not (file.ascii or text.isascii()):
        text = real(file, text)
    if "\n" in text or "  " in text:
        shorter = _on_one_line(text[: 2 * limit])
        text = shorter if len(shorter) > limit + 1 else _on_one_line(text)
    return text[:limit]


def _on_one_line(text: str) -> str:
    return " ".join(text.replace("\\\n", " ").split())


def plain(file: FileDraft, kind: ValueKind, node: Node) -> Value:
    """The value of a name or a constant, made once a file."""
    text = file.text[node.start_byte : node.end_byte]
    value = file.plain.get(text)
    if value is None:
        shown = text if file.ascii else real(file, text)
        value = file.plain[text] = Value(kind, shown, names=(shown,) if kind == "name" else ())
    return value


def since(names: list[str], mark: int) -> tuple[str, ...]:
    """The chains logged since `mark`, in order, without duplicates."""
    count = len(names) - mark
    if count == 0:
        return ()
    if count == 1:
        return (names[mark],)
    return tuple(dict.fromkeys(names[mark:]))


def scan(scope: Scope, node: Node, block: int) -> None:
    """Records everything inside an expression of which only the contents matter."""
    scope.scans[node.kind_id](scope, node, block)


def contents(scope: Scope, node: Node, block: int) -> None:
    """Scans the children."""
    scans = scope.scans
    for child in node.named_children:
        scans[child.kind_id](scope, child, block)


def evaluate(scope: Scope, node: Node, block: int) -> Value:
    """Records everything inside an expression and answers what it is."""
    return scope.values[node.kind_id](scope, node, block)


def other(scope: Scope, node: Node, block: int) -> Value:
    """Anything else: its text and the names in it."""
    names = scope.names
    mark = len(names)
    scan(scope, node, block)
    return Value("other", folded(scope.file, node), names=since(names, mark))


def content(nodes: list[Node]) -> list[Node]:
    """The nodes without comments and line continuations, which tree-sitter puts between any two others; mostly, all of them."""
    for each in nodes:
        if each.is_extra:
            return [one for one in nodes if not one.is_extra]
    return nodes
