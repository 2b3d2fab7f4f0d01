"""Parameters and annotations of functions and lambdas."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal

from evenkeel.audit.model.facts import Parameter
from evenkeel.audit.source.python.drafts import FileDraft, Scope, content, evaluate, folded, written
from evenkeel.audit.source.python.grammar import TYPE, VALUE
from evenkeel.audit.source.python.literals import literal

if TYPE_CHECKING:
    from tree_sitter import Node

Kind = Literal["positional", "keyword", "*", "**"]

ANNOTATION_LENGTH = 1_000  # characters kept; `Annotated[Session, Depends(...)]` has to be whole
FORWARD = re.compile(r"([\"'])([A-Za-z_][\w.\[\], |]*)\1")
STARS: dict[str, Kind] = {"list_splat_pattern": "*", "dictionary_splat_pattern": "**"}
SEPARATORS: dict[str, Kind] = {"keyword_separator": "keyword", "list_splat_pattern": "keyword"}


def parameters(scope: Scope, node: Node | None) -> tuple[Parameter, ...]:
    """The parameters of a function; calls in their defaults belong to it too, before its body's first byte."""
    if node is None:
        return ()
    given: list[Parameter] = []
    kind: Kind = "positional"
    for each in content(node.named_children):
        parameter = _parameter(scope, each, kind)
        if parameter is not None:
            given.append(parameter)
        if each.type == "keyword_separator" or (parameter is not None and parameter.kind == "*"):
            kind = "keyword"
    return tuple(given)


def _parameter(scope: Scope, node: Node, kind: Kind) -> Parameter | None:
    """One parameter; None for the separators `*` and `/` and for what is no parameter."""
    if node.type == "identifier":
        return Parameter(written(scope.file, node), kind=kind)
    if node.type in STARS:
        return Parameter(_name(scope.file, node), kind=STARS[node.type])
    if node.type == "tuple_pattern":  # Python 2
        return Parameter(folded(scope.file, node), kind=kind)
    if node.type in {"typed_parameter", "default_parameter", "typed_default_parameter"}:
        return _detailed(scope, node, kind)
    return None


def _detailed(scope: Scope, node: Node, kind: Kind) -> Parameter:
    named = node.named_children[0]
    default = node.child_by_field_id(VALUE)
    return Parameter(
        _name(scope.file, named),
        annotation(scope.file, node.child_by_field_id(TYPE)),
        None if default is None else evaluate(scope, default, 0),
        STARS.get(named.type, kind),
    )


def _name(file: FileDraft, node: Node) -> str:
    return written(file, node.children[-1] if node.type in STARS else node)


def annotation(file: FileDraft, node: Node | None) -> str:
    """An annotation as written, without the quotes around forward references."""
    if node is None:
        return ""
    inner = node.named_children
    if len(inner) == 1 and inner[0].type in {"string", "concatenated_string"}:
        return literal(file, inner[0]).text[:ANNOTATION_LENGTH]
    text = folded(file, node, ANNOTATION_LENGTH)
    if ("'" in text or '"' in text) and "(" not in text and "Literal" not in text:
        return FORWARD.sub(r"\2", text)
    return text
