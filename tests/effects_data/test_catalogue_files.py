"""The shipped catalogue files: well formed, consistent with one another, and true where truth can be checked here."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from evenkeel.audit.effects.catalogue import Catalogue, TypeExpression, canonical, parse_type
from evenkeel.audit.effects.loading import catalogue_files, parse_files
from evenkeel.audit.effects.reading import EFFECT_KINDS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FILES = catalogue_files("python")
TOO_GENERIC = {
    "client",
    "data",
    "self",
    "queue",
    "result",
    "response",
    "manager",
    "service",
    "repository",
    "obj",
    "item",
}
IMPLIED = {
    "db-insert": "db-write",
    "db-update": "db-write",
    "db-delete": "db-update",
    "db-count": "db-read",
    "db-key-read": "db-read",
    "db-refresh": "db-read",
    "password-hash": "cpu",
}


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return parse_files(FILES)


def test_every_library_family_of_the_issue_has_a_file() -> None:
    expected = {"sqlalchemy", "sqlmodel", "django", "asgi", "aiohttp_server", "http_clients", "redis", "task_queues"}
    assert expected <= {file.stem for file in FILES}
    assert len(FILES) >= 25


@pytest.mark.parametrize("file", FILES, ids=[file.stem for file in FILES])
def test_a_file_names_its_library_and_its_sources(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    assert re.search(r'^library = ".+"$', text, re.MULTILINE)
    assert re.search(r'"https://[^"]+"', text), "the pages the facts come from"
    assert len(text.splitlines()) <= 310


def test_keys_are_written_under_the_canonical_name(catalogue: Catalogue) -> None:
    aliased = {key: canonical(catalogue, key) for key in _keys(catalogue) if canonical(catalogue, key) != key}
    assert aliased == {}


def test_aliases_lead_to_canonical_names(catalogue: Catalogue) -> None:
    assert all("{" not in target for target in catalogue.aliases.values())
    assert {a: t for a, t in catalogue.aliases.items() if canonical(catalogue, t) != t} == {}


def test_type_expressions_name_declared_types(catalogue: Catalogue) -> None:
    missing = {
        name for text in _expressions(catalogue) for name in _names(parse_type(text)) if name not in catalogue.types
    }
    assert missing == set()


def test_effects_are_known_and_complete(catalogue: Catalogue) -> None:
    for owner, effects in _effect_lists(catalogue):
        kinds = {effect.partition(":")[0] for effect in effects}
        assert kinds <= EFFECT_KINDS, owner
        for kind, implied in IMPLIED.items():
            if kind in kinds and not owner.startswith("adds "):
                assert implied in kinds, f"{owner}: {kind} comes with {implied}"


def test_methods_of_asynchronous_types_do_not_block(catalogue: Catalogue) -> None:
    blocking = [
        key
        for key, spec in catalogue.calls.items()
        if spec.blocking and (owner := catalogue.types.get(key.rpartition(".")[0])) is not None and owner.is_async
    ]
    assert sorted(blocking) == ["piccolo.query.base.Query.run_sync", "pydantic_ai.Agent.run_sync"]


def test_what_blocks_says_in_what(catalogue: Catalogue) -> None:
    silent = [
        key
        for key, spec in catalogue.calls.items()
        if spec.blocking and not spec.effects and spec.statement < 0 and spec.runs < 0 and ".fetch" not in key
    ]
    assert silent == []


def test_conventional_names_are_specific_and_reachable(catalogue: Catalogue) -> None:
    for name, spec in catalogue.types.items():
        for variable in spec.names:
            assert variable.isidentifier(), variable
            assert variable not in TOO_GENERIC, f"{variable!r} stands for anything, not for {name}"
            assert spec.imports, f"{name}: a convention needs the import that makes it apply"


def test_entry_methods_say_what_they_enter(catalogue: Catalogue) -> None:
    types = [(name, spec) for name, spec in catalogue.types.items() if spec.entry_methods]
    assert len(types) > 20
    assert [name for name, spec in types if spec.entry is None] == []
    registering = [key for key, spec in catalogue.calls.items() if spec.registers >= 0 and spec.entry is None]
    assert registering == []


def _keys(catalogue: Catalogue) -> Iterator[str]:
    for table in (catalogue.types, catalogue.calls, catalogue.attributes, catalogue.decorators):
        yield from table


def _expressions(catalogue: Catalogue) -> Iterator[str]:
    yield from (spec.returns for spec in catalogue.calls.values() if spec.returns)
    yield from (spec.type for spec in catalogue.attributes.values() if spec.type)
    yield from (spec.type for spec in catalogue.decorators.values() if spec.type)
    for spec in catalogue.types.values():
        yield from (text for text in (spec.enter, spec.iterates, spec.awaited) if text)


def _names(expression: TypeExpression) -> Iterator[str]:
    if expression.name != "|" and not expression.name.startswith("$"):
        yield expression.name
    for argument in expression.arguments:
        yield from _names(argument)


def _effect_lists(catalogue: Catalogue) -> Iterator[tuple[str, tuple[str, ...]]]:
    for key, call in catalogue.calls.items():
        yield (key, call.effects) if call.statement < 0 else (f"adds {key}", call.effects)
        yield f"adds {key}", call.adds
    for key, attribute in catalogue.attributes.items():
        yield key, attribute.effects
    for key, spec in catalogue.types.items():
        yield from (
            (key, each)
            for each in (spec.enter_effects, spec.iterate_effects, spec.await_effects, spec.statement_effects)
        )
        yield f"adds {key}", spec.exit_effects
