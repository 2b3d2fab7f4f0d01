"""Small source trees, linked for real: what each line of them does, whom it calls, and what gets in from outside."""

from __future__ import annotations

import functools
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path

import msgspec

from evenkeel.audit.effects.build import build_index
from evenkeel.audit.effects.catalogue import Catalogue
from evenkeel.audit.effects.loading import catalogue_files, parse_files
from evenkeel.audit.model.effects import Effect
from evenkeel.audit.model.facts import Call, FileFacts
from evenkeel.audit.model.index import FunctionInfo, Index, Link, LinkedFunction
from evenkeel.audit.model.packing import unpack
from evenkeel.audit.source.cache import FactsCache
from evenkeel.audit.source.extract import extract
from evenkeel.audit.source.walk import walk

QUIET = {"connect", "close", "log", "copy", "db-pending-insert", "db-pending-delete", "cpu"}
EXPECTED = re.compile(r"#:(.*)$")


@functools.cache
def catalogue() -> Catalogue:
    """The shipped catalogues, parsed once a test process."""
    return parse_files(catalogue_files("python"))


@dataclass(frozen=True)
class Tree:
    """A linked tree: its index and, decoded, each file's facts and links."""

    index: Index
    files: dict[str, tuple[FileFacts, tuple[LinkedFunction, ...]]]
    sources: dict[str, str]

    def function(self, name: str) -> FunctionInfo:
        """The function whose qualified name ends so."""
        found = [each for each in self.index.functions if f".{each.name}".endswith(f".{name}")]
        assert len(found) == 1, f"{name}: {[each.name for each in self.index.functions]}"
        return found[0]

    def entries(self) -> dict[str, str]:
        """Entry points by the last part of their name."""
        return {each.name.rpartition(".")[2]: each.entry for each in self.index.functions if each.entry}

    def reached(self, name: str) -> set[str]:
        """The kinds of effects that running a function has."""
        return {each.effect.kind for each in self.function(name).reaches}

    def at(self, line_text: str) -> list[tuple[Call, Link]]:
        """The calls on the only line that holds this text."""
        return [each for path, number in self._places(line_text) for each in self.links(path, number)]

    def _places(self, text: str) -> list[tuple[str, int]]:
        found = [
            (path, number)
            for path, source in self.sources.items()
            for number, line in enumerate(source.splitlines(), start=1)
            if text in line
        ]
        assert len(found) == 1, f"{text!r} stands in {found}"
        return found

    def links(self, path: str, line: int) -> list[tuple[Call, Link]]:
        """Calls with their links on one line of one file."""
        facts, linked = self.files[path]
        return [
            (call, link)
            for function, each in zip(facts.functions, linked, strict=True)
            for link in each.links
            if (call := (*function.calls, *each.implicit)[link.call]).line == line
        ]

    def effects(self, line_text: str) -> set[str]:
        """What the line does: kinds, a network effect with its detail, `blocks` when the thread waits in one of them."""
        return notation([effect for _, link in self.at(line_text) for effect in link.effects])

    def details(self, line_text: str) -> set[str]:
        """The entities and tables that the line touches."""
        found = (effect for _, link in self.at(line_text) for effect in link.effects)
        return {each.detail.rpartition(".")[2] for each in found if each.kind.startswith("db-")}

    def targets(self, line_text: str) -> set[str]:
        """The project functions that the line calls or has run."""
        found = {each for _, link in self.at(line_text) for each in (*link.targets, *link.runs)}
        return {self.index.functions[each].name for each in found}


def notation(effects: list[Effect]) -> set[str]:
    """Effects in the words of expectations."""
    told = [each for each in effects if each.kind not in QUIET]
    words = {f"{each.kind}:{each.detail}" if each.kind == "network" else each.kind for each in told}
    return words | ({"blocks"} if any(each.blocking for each in told) else set())


def link_tree(root: Path, files: dict[str, str]) -> Tree:
    """Write the files and link them with the shipped catalogues."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    with FactsCache.open(enabled=False) as cache:
        read = extract(walk(root).files, cache=cache, jobs=1).files
    index = build_index([(f.path, f.kind, f.facts) for f in read], catalogue(), jobs=1)
    decoded = {
        file.path: (
            msgspec.msgpack.decode(unpack(file.facts), type=FileFacts),
            msgspec.msgpack.decode(unpack(linked), type=tuple[LinkedFunction, ...]),
        )
        for file, linked in zip(read, index.linked, strict=True)
    }
    return Tree(index, decoded, files)


def link_source(source: str, **others: str) -> Tree:
    """`source` as `app.py`, and others: `models="..."` is `models.py`."""
    with tempfile.TemporaryDirectory() as folder:
        return link_tree(Path(folder), {"app.py": source, **{f"{name}.py": text for name, text in others.items()}})


def misread(source: str, **others: str) -> list[str]:
    """The lines of `app.py` that do something else than their mark says; a line without a mark is not looked at.

    A mark is `#:` and the kinds of effects, `blocks`, and `of=Entity` where the entity or table matters."""
    tree = link_source(source, **others)
    wrong: list[str] = []
    marks = 0
    for number, line in enumerate(source.splitlines(), start=1):
        if (match := EXPECTED.search(line)) is None:
            continue
        marks += 1
        effects = [e for _, link in tree.links("app.py", number) if link.implicit != "leave" for e in link.effects]
        found = notation(effects)
        if "of=" in line:
            found |= {f"of={e.detail.rpartition('.')[2]}" for e in effects if e.kind.startswith("db-")}
        if found != set(match[1].split()):
            wrong.append(f"{number}: {line.strip()} does {' '.join(sorted(found))}")
    assert marks, "the source has no marks"
    return wrong
