"""The grammar by numbers: kinds and fields of nodes, and tables that have an entry for each kind.

A kind or a field is asked for some hundred thousand times a project. By name tree-sitter makes a string of the one each time and
searches for the other; by number it does neither.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

import tree_sitter
import tree_sitter_python

Entry = TypeVar("Entry")

LANGUAGE = tree_sitter.Language(tree_sitter_python.language())
ERROR = 65_535  # the kind of what could not be read, in every grammar


def by_kind(chosen: Mapping[str, Entry], other: Entry) -> dict[int, Entry]:
    """Number of each kind of node -> what is chosen for its name, else `other`."""
    numbers = (*range(LANGUAGE.node_kind_count), ERROR)
    return {each: chosen.get(LANGUAGE.node_kind_for_id(each) or "", other) for each in numbers}


def kind(name: str) -> int:
    """The number of a kind of named nodes. Raises ValueError when the grammar has none."""
    return _known(LANGUAGE.id_for_node_kind(name, True), name)


def field(name: str) -> int:
    """The number of a field. Raises ValueError when the grammar has none."""
    return _known(LANGUAGE.field_id_for_name(name), name)


def _known(number: int | None, name: str) -> int:
    if not number:
        raise ValueError(f"the grammar has no {name!r}")
    return number


ARGUMENT_LIST = kind("argument_list")
ASSIGNMENT = kind("assignment")
ATTRIBUTE = kind("attribute")
AUGMENTED_ASSIGNMENT = kind("augmented_assignment")
AWAIT = kind("await")
CALL = kind("call")
DICTIONARY_SPLAT = kind("dictionary_splat")
IDENTIFIER = kind("identifier")
KEYWORD_ARGUMENT = kind("keyword_argument")
PARENTHESES = kind("parenthesized_expression")
LIST_SPLAT = kind("list_splat")
STRING = kind("string")
SUBSCRIPT = kind("subscript")

ALIAS = field("alias")
ALTERNATIVE = field("alternative")
BODY = field("body")
CONDITION = field("condition")
CONSEQUENCE = field("consequence")
DEFINITION = field("definition")
LEFT = field("left")
NAME = field("name")
OPERATOR = field("operator")
PARAMETERS = field("parameters")
RETURN_TYPE = field("return_type")
RIGHT = field("right")
TYPE = field("type")
VALUE = field("value")
