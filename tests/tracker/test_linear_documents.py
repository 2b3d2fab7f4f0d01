"""The documents are valid against our own SDL, and that against the published schema, where there is one at hand."""

from __future__ import annotations

import os
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from graphql import (
    DocumentNode,
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLObjectType,
    GraphQLScalarType,
    GraphQLSchema,
    NoDeprecatedCustomRule,
    build_schema,
    parse,
    specified_rules,
    validate,
)
from graphql.execution.values import get_variable_values
from graphql.language import OperationDefinitionNode

from evenkeel.audit.tracker.linear.transport import document
from tests.tracker.service import sdl

FOLDER = resources.files("evenkeel.audit.tracker.linear") / "documents"
NAMES = sorted(each.name.removesuffix(".graphql") for each in FOLDER.iterdir() if each.name.endswith(".graphql"))
PUBLISHED = os.environ.get("EVENKEEL_LINEAR_SCHEMA", "")


@pytest.fixture(scope="module")
def ours() -> GraphQLSchema:
    return sdl()


@pytest.fixture(scope="module")
def published() -> GraphQLSchema:
    if not PUBLISHED:
        pytest.skip("$EVENKEEL_LINEAR_SCHEMA does not name Linear's published schema.graphql")
    return build_schema(Path(PUBLISHED).read_text(encoding="utf-8"), assume_valid=True)


def parsed(name: str) -> DocumentNode:
    return parse(document(name))


def test_every_document_is_known() -> None:
    assert NAMES == ["create_issue", "create_label", "issues", "labels", "projects", "teams", "update_issue"]


@pytest.mark.parametrize("name", NAMES)
def test_documents_fit_our_sdl(ours: GraphQLSchema, name: str) -> None:
    assert validate(ours, parsed(name)) == []


@pytest.mark.parametrize("name", NAMES)
def test_documents_fit_the_published_schema(published: GraphQLSchema, name: str) -> None:
    assert validate(published, parsed(name), [*specified_rules, NoDeprecatedCustomRule]) == []


def test_our_sdl_says_nothing_else_than_the_published_schema(ours: GraphQLSchema, published: GraphQLSchema) -> None:
    differences = [
        each
        for name, kind in ours.type_map.items()
        if not name.startswith("__")
        for each in differing(name, kind, published.type_map.get(name))
    ]
    assert differences == []


def differing(name: str, kind: Any, theirs: Any) -> list[str]:
    """Fields, arguments and values of one of our types that the published one has not, or has with another type."""
    if theirs is None or type(kind) is not type(theirs):
        return [f"{name} is not there"]
    if isinstance(kind, GraphQLScalarType):
        return []
    if isinstance(kind, GraphQLEnumType):
        return [f"{name}.{value}" for value in kind.values if value not in theirs.values]
    assert isinstance(kind, GraphQLObjectType | GraphQLInputObjectType)
    found: list[str] = []
    for field_name, field in kind.fields.items():
        other = theirs.fields.get(field_name)
        if other is None or str(other.type) != str(field.type):
            found.append(f"{name}.{field_name}: {field.type} is {other and other.type}")
            continue
        arguments = getattr(field, "args", {})
        found += [
            f"{name}.{field_name}({key}: {argument.type})"
            for key, argument in arguments.items()
            if key not in other.args or str(other.args[key].type) != str(argument.type)
        ]
    return found


@pytest.mark.parametrize(
    "wrong",
    [
        {"teamId": "t", "priority": "high"},
        {"title": "no team"},
        {"teamId": "t", "labelNames": ["audit"]},
    ],
)
def test_variables_of_a_wrong_shape_would_be_noticed(ours: GraphQLSchema, wrong: dict[str, Any]) -> None:
    (definition,) = parsed("create_issue").definitions
    assert isinstance(definition, OperationDefinitionNode)
    given = get_variable_values(ours, definition.variable_definitions or [], {"input": wrong})
    assert isinstance(given, list)
    assert given
    right = get_variable_values(ours, definition.variable_definitions or [], {"input": {"teamId": "t"}})
    assert not isinstance(right, list)
