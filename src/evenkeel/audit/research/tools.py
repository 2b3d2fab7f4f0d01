"""Which of a server's tools answer what, told from their input schemas, and the arguments that they take.

Names and versions of servers are no guide: one documentation server has had three generations of tools in a year, and one of
its releases states the version of another.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from evenkeel.audit.research.provider import Question

NAMES = ("libraryName",)
IDS = ("libraryId", "context7CompatibleLibraryID")
TOKENS = 3_000  # asked for where a tool must be told how long its answer may be

Arguments = dict[str, Any]


class Tool(msgspec.Struct, frozen=True, gc=False):
    """A tool as its server lists it: the properties it knows, and those it must be given."""

    name: str
    properties: frozenset[str]
    required: frozenset[str]


class Plan(msgspec.Struct, frozen=True, gc=False):
    """How a server is asked: `lookup` finds the library's id for `documents`; without `lookup`, one search answers all."""

    documents: Tool
    lookup: Tool | None = None


def tool(name: str, schema: Mapping[str, Any] | None) -> Tool:
    """A tool from its JSON schema. What is no schema gives a tool without properties."""
    stated = schema if isinstance(schema, Mapping) else {}
    properties, required = stated.get("properties"), stated.get("required")
    return Tool(
        name,
        frozenset(properties if isinstance(properties, Mapping) else ()),
        frozenset(each for each in required if isinstance(each, str)) if isinstance(required, list) else frozenset(),
    )


def plan_of(tools: Iterable[Tool]) -> Plan | None:
    """How to ask a server with these tools; None when it has none that finds documentation."""
    listed = list(tools)
    lookups = [each for each in listed if each.required <= {*NAMES, "query"} and each.properties & {*NAMES}]
    documents = [each for each in listed if each.properties & {*IDS} and each.required <= _FILLED]
    if lookups and documents:
        return Plan(documents[0], lookups[0])
    searches = [each for each in listed if each.required == {"query"} and "search" in each.name.lower()]
    return Plan(_documentation_first(searches)) if searches else None


_FILLED = frozenset({*IDS, "query", "topic", "tokens", "page", "mode"})


def lookup_arguments(lookup: Tool, question: Question) -> Arguments:
    """What finds the library of a question: its name, and where the tool asks for one, the question."""
    return _known(lookup, {"libraryName": question.title, "query": _sentence(question)})


def document_arguments(documents: Tool, question: Question, library: str = "") -> Arguments:
    """What finds the documentation. Of what a tool does not demand, only the topic is given."""
    values = {"query": _sentence(question), "topic": question.words, **dict.fromkeys(IDS, library)}
    demanded = {"tokens": TOKENS, "page": 1, "mode": "code"}
    return _known(documents, values) | {name: demanded[name] for name in documents.required & demanded.keys()}


def _sentence(question: Question) -> str:
    return f"{question.title} {question.words}"


def _known(chosen: Tool, values: Arguments) -> Arguments:
    return {name: value for name, value in values.items() if name in chosen.properties}


def _documentation_first(searches: list[Tool]) -> Tool:
    return next((each for each in searches if "doc" in each.name.lower()), searches[0])
