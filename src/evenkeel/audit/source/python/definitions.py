"""Functions and classes, with their decorators.

A decorator's calls are facts of the decorator, not of the function around it: they run once, when the module is
imported. Calls in the defaults of parameters belong to the function itself and stand before the first byte of its body.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

from evenkeel.audit.model.facts import Argument, Class, Decorator, Function, Value
from evenkeel.audit.source.python.blocks import fill, run
from evenkeel.audit.source.python.chains import argument, link
from evenkeel.audit.source.python.drafts import Scope, Statement, content, folded, open_block, reserve, written
from evenkeel.audit.source.python.grammar import BODY, DEFINITION, NAME, PARAMETERS, RETURN_TYPE
from evenkeel.audit.source.python.parameters import annotation, parameters

if TYPE_CHECKING:
    from tree_sitter import Node

BASE_LENGTH = 1_000  # characters kept of a base class as written
TYPE_PARAMETER = re.compile(r"[\[,]\s*(\*{0,2}\s*[^\W\d]\w*)")
NESTED = re.compile(r"(?<=.)\[[^\[\]]*\]|\([^()]*\)")


def decorated(scope: Scope, node: Node, block: int) -> None:
    """A definition with decorators."""
    decorators = tuple([_decorator(scope, each) for each in node.named_children if each.type == "decorator"])
    definition = node.child_by_field_id(DEFINITION)
    if definition is not None:
        define = class_ if definition.type == "class_definition" else function
        define(scope, definition, block, decorators)


def _decorator(scope: Scope, node: Node) -> Decorator:
    """Read in a scope of its own, so that its calls get no numbers among those of the code around it."""
    line = node.start_point[0] + 1
    apart = Scope(scope.file, scope.index, scope.prefix)
    expression = content(node.named_children)
    if not expression:
        return Decorator("", line)
    if expression[0].type != "call":
        return Decorator(link(apart, expression[0], 0)[0], line)
    link(apart, expression[0], 0)
    made = apart.calls[-1]
    arguments = tuple([Argument(each.keyword, _detached(each.value)) for each in made.arguments])
    return Decorator(made.callee, line, arguments, called=True)


def _detached(value: Value) -> Value:
    return msgspec.structs.replace(value, call=-1) if value.call >= 0 else value


def function(scope: Scope, node: Node, _block: int, decorators: tuple[Decorator, ...] = ()) -> None:
    """A function or method and everything in it."""
    file = scope.file
    name = _name(scope, node)
    line = node.start_point[0] + 1
    qualname = scope.prefix + name
    index = reserve(file, name, qualname, line, scope.index)
    inner = Scope(file, index, f"{qualname}.<locals>.")
    body = node.child_by_field_id(BODY)
    open_block(inner, "body", -1, node, ((body or node).start_byte, body or node))
    given = parameters(inner, node.child_by_field_id(PARAMETERS))
    fill(inner, body, 0)
    header = Function(
        name,
        qualname,
        line,
        node.end_point[0] + 1,
        scope.index,
        scope.owner,
        node.children[0].type == "async",
        returns=annotation(file, node.child_by_field_id(RETURN_TYPE)),
        parameters=given,
        decorators=decorators,
    )
    file.functions[index] = inner.finished(header)


def class_(scope: Scope, node: Node, block: int, decorators: tuple[Decorator, ...] = ()) -> None:
    """A class. What its body calls belongs to the function around it; what its body assigns belongs to the class."""
    file = scope.file
    name = _name(scope, node)
    qualname = scope.prefix + name
    index = len(file.classes)
    line, end_line = node.start_point[0] + 1, node.end_point[0] + 1
    header = Class(name, qualname, line, end_line, scope.index, scope.owner, decorators=decorators)
    file.classes.append(header)
    bases, keywords = _bases(scope, node, block)
    outside = scope.owner, scope.prefix, scope.sink
    scope.owner, scope.prefix, scope.sink = index, f"{qualname}.", []
    body = node.child_by_field_id(BODY)
    run(scope, [] if body is None else body.named_children, block)
    attributes = tuple(scope.sink)
    scope.owner, scope.prefix, scope.sink = outside
    file.classes[index] = msgspec.structs.replace(header, bases=bases, keywords=keywords, attributes=attributes)


def _bases(scope: Scope, node: Node, block: int) -> tuple[tuple[str, ...], tuple[Argument, ...]]:
    """Bases as written and keywords; type parameters in brackets are a base `Generic[...]`."""
    bases: list[str] = []
    keywords: list[Argument] = []
    given = node.child_by_field_name("superclasses")
    for each in () if given is None else content(given.named_children):
        made = argument(scope, each, block)
        if made.keyword in {"", "*"}:
            bases.append(folded(scope.file, each, BASE_LENGTH))
        else:
            keywords.append(made)
    variables = node.child_by_field_name("type_parameters")
    if variables is not None:
        names = TYPE_PARAMETER.findall(NESTED.sub("", written(scope.file, variables)))
        bases.append(f"Generic[{', '.join(names)}]")
    return tuple(bases), tuple(keywords)


def _name(scope: Scope, node: Node) -> str:
    named = node.child_by_field_id(NAME)
    return "" if named is None else written(scope.file, named)


DEFINITIONS: dict[str, Statement] = {
    "function_definition": function,
    "class_definition": class_,
    "decorated_definition": decorated,
}
