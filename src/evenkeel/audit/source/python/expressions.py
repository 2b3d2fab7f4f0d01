"""What an expression is: the `Value` of each kind, recorded on the way.

`VALUES` answers for one kind of node what it is; `SCANS` records what is inside when nobody asks. A kind in neither
table is "other" and has its children scanned.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from evenkeel.audit.model.facts import Value, ValueKind
from evenkeel.audit.source.python.chains import LINKS, SPLATS, called, dotted, load
from evenkeel.audit.source.python.drafts import (
    Evaluate,
    FileDraft,
    Scan,
    Scope,
    add_read,
    content,
    contents,
    evaluate,
    folded,
    other,
    plain,
    scan,
    since,
    written,
)
from evenkeel.audit.source.python.grammar import ATTRIBUTE, CALL
from evenkeel.audit.source.python.literals import QUOTES, is_bytes, kept, literal

if TYPE_CHECKING:
    from tree_sitter import Node

COLLECTIONS: dict[str, ValueKind] = {
    "list": "list",
    "dictionary": "dict",
    "set": "set",
    "tuple": "tuple",
    "expression_list": "tuple",
}
TYPE_FORMS = frozenset(
    {
        "Annotated",
        "Optional",
        "Union",
        "list",
        "dict",
        "set",
        "tuple",
        "type",
        "Type",
        "List",
        "Dict",
        "Set",
        "Callable",
    }
    | {"Sequence", "Iterable", "Mapping", "Awaitable", "AsyncIterator", "Iterator", "AsyncGenerator", "Generator"}
)
OFTEN_LENGTH = 100  # characters of a string that may stand more than once in a file


def name(scope: Scope, node: Node, block: int) -> Value:
    """A chain; its text is the chain, not the source."""
    names = scope.names
    if node.kind_id == ATTRIBUTE and (plainly := dotted(scope.file, node)) is not None:
        names.append(plainly.text)
        add_read(scope, (plainly.text, -1), node, block)
        return plainly
    mark = len(names)
    text, receiver = load(scope, node, block)
    return Value("name", text, receiver, names=since(names, mark))


def subscripted(scope: Scope, node: Node, block: int) -> Value:
    """An element, as a chain; a type form (`Annotated[Session, Depends(get_session)]`) keeps its text, for aliases."""
    value = name(scope, node, block)
    if value.text.partition("[")[0].rpartition(".")[2] in TYPE_FORMS:
        return Value("other", folded(scope.file, node), names=value.names)
    index = content(node.named_children)[-1]
    if index.type == "string" and (key := written(scope.file, index).strip("'\"")).isidentifier():
        return msgspec.structs.replace(value, names=(*value.names, f"'{key}'"))
    bound = _slice_bound(scope.file, index)
    return value if bound < 0 else msgspec.structs.replace(value, size=bound)


def _slice_bound(file: FileDraft, index: Node) -> int:
    """How many elements a slice has at most: the number it ends with, 0 when that is no literal; -1 without an end."""
    if index.type != "slice":
        return -1
    before, colon, after = written(file, index).partition(":")
    end = after.partition(":")[0].strip()
    if not colon or not end or end.startswith("-"):
        return -1
    return int(end) if end.isdigit() and not before.strip() else 0


def identifier(scope: Scope, node: Node, _block: int) -> Value:
    """A bare name."""
    value = plain(scope.file, "name", node)
    scope.names.append(value.text)
    return value


def result(scope: Scope, node: Node, block: int) -> Value:
    """The result of a call."""
    names = scope.names
    mark = len(names)
    receiver = called(scope, node, block)
    return Value("call", folded(scope.file, node), receiver, names=since(names, mark))


def awaited(scope: Scope, node: Node, block: int) -> Value:
    """`await x`: what `x` is, awaited."""
    operand = node.children[-1]
    if operand.kind_id != CALL:
        value = evaluate(scope, operand, block)
        if value.kind == "call":
            msgspec.structs.force_setattr(scope.calls[value.call], "awaited", True)  # not published yet
        return msgspec.structs.replace(value, awaited=True)
    names = scope.names
    mark = len(names)
    call = awaited_call(scope, operand, block)
    return Value("call", folded(scope.file, operand), call, True, names=since(names, mark))


def awaited_call(scope: Scope, node: Node, block: int) -> int:
    """Records a call that is awaited, and answers its number."""
    call = called(scope, node, block)
    msgspec.structs.force_setattr(scope.calls[call], "awaited", True)  # not published yet
    return call


def parenthesized(scope: Scope, node: Node, block: int) -> Value:
    """What is inside the parentheses."""
    inner = node.named_children
    if len(inner) > 1:
        inner = content(inner)
    return evaluate(scope, inner[0], block) if len(inner) == 1 else other(scope, node, block)


def string(scope: Scope, node: Node, block: int) -> Value:
    """A string literal. One without a prefix has no holes and is what is written; a short one is made once a file."""
    file = scope.file
    raw = file.text[node.start_byte : node.end_byte]
    value = file.plain.get(raw)
    if value is None:
        if not raw.startswith(QUOTES):
            return strings(scope, node, block)
        text = literal(file, node).text
        value = Value("string", kept(text), size=len(text))
        if len(raw) <= OFTEN_LENGTH:
            file.plain[raw] = value
    return value


def strings(scope: Scope, node: Node, block: int) -> Value:
    """A literal that may have a prefix and holes, or several of them side by side."""
    names = scope.names
    mark = len(names)
    text, holes = literal(scope.file, node)
    for hole in holes:
        contents(scope, hole, block)
    kind: ValueKind = "bytes" if is_bytes(scope.file, node) else "string"
    return Value(kind, kept(text), size=len(text), names=since(names, mark))


def number(scope: Scope, node: Node, _block: int) -> Value:
    """A number literal, made once a file."""
    known = scope.file.plain
    raw = scope.file.text[node.start_byte : node.end_byte]
    value = known.get(raw)
    if value is None:
        value = known[raw] = Value("number", folded(scope.file, node))
    return value


def constant(scope: Scope, node: Node, _block: int) -> Value:
    """None, True, False or an ellipsis."""
    return plain(scope.file, "constant", node)


def unary(scope: Scope, node: Node, block: int) -> Value:
    """A signed number is a number; the rest is other."""
    operand = node.children[-1]
    return (number if operand.type in {"integer", "float"} else other)(scope, node, block)


def collection(scope: Scope, node: Node, block: int) -> Value:
    """A literal collection and its size, unknown when something is unpacked into it."""
    names = scope.names
    mark = len(names)
    elements = content(node.named_children)
    size = len(elements)
    for each in elements:
        kind = each.kind_id
        scope.scans[kind](scope, each, block)
        if kind in SPLATS:
            size = -1
    return Value(COLLECTIONS[node.type], folded(scope.file, node), size=size, names=since(names, mark))


def nothing(_scope: Scope, _node: Node, _block: int) -> None:
    """Leaves hold no facts."""


def bare(scope: Scope, node: Node, _block: int) -> None:
    """Logs a name."""
    scope.names.append(written(scope.file, node))


def chain(scope: Scope, node: Node, block: int) -> None:
    """Records a chain whose value nobody asks for."""
    if node.kind_id == CALL:
        called(scope, node, block)
    elif node.kind_id == ATTRIBUTE and (plainly := dotted(scope.file, node)) is not None:
        scope.names.append(plainly.text)
        add_read(scope, (plainly.text, -1), node, block)
    else:
        load(scope, node, block)


def holes(scope: Scope, node: Node, block: int) -> None:
    """Scans the holes of a string literal; only those with a prefix can have any."""
    if scope.file.text[node.start_byte] not in QUOTES:
        contents(scope, node, block)


def awaiting(scope: Scope, node: Node, block: int) -> None:
    """Records an `await` whose value nobody asks for."""
    operand = node.children[-1]
    if operand.kind_id == CALL:
        awaited_call(scope, operand, block)
    else:
        evaluate(scope, node, block)


def last(scope: Scope, node: Node, block: int) -> None:
    """Scans the value of a keyword argument, whose name is no read."""
    scan(scope, node.children[-1], block)


LEAVES = (
    "comment integer float true false none ellipsis type type_conversion pass_statement break_statement"
    " continue_statement line_continuation string_start string_content string_end escape_sequence"
)
SCANS: dict[str, Scan] = {
    **dict.fromkeys(LEAVES.split(), nothing),
    **dict.fromkeys(LINKS, chain),
    "identifier": bare,
    "string": holes,
    "await": awaiting,
    "keyword_argument": last,
}
VALUES: dict[str, Evaluate] = {
    **dict.fromkeys(COLLECTIONS, collection),
    "string": string,
    "concatenated_string": strings,
    **dict.fromkeys(("none", "true", "false", "ellipsis"), constant),
    "": other,
    "identifier": identifier,
    "attribute": name,
    "subscript": subscripted,
    "call": result,
    "await": awaited,
    "parenthesized_expression": parenthesized,
    "integer": number,
    "float": number,
    "unary_operator": unary,
}
