"""What a format is made from: the result, the rules' pages, and the lines of code that findings point at."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from evenkeel.audit.model.finding import Finding, Step
from evenkeel.audit.model.result import AuditResult
from evenkeel.audit.model.rule import Rule
from evenkeel.audit.report.localised import localised, localised_rules
from evenkeel.audit.report.summary import has_own_entry
from evenkeel.audit.wording import ENGLISH, Wording

MAX_BYTES = 5_000_000  # a larger file gives no excerpts


class Sources:
    """Lines of the audited files, each file read when it is first asked for. What cannot be read has no lines."""

    def __init__(self, root: Path | None) -> None:
        self._root = root
        self._files: dict[str, tuple[str, ...]] = {}

    def lines(self, file: str, first: int, last: int) -> list[tuple[int, str]]:
        """Numbers and texts of the lines `first` to `last` that the file has."""
        held = self._files.get(file)
        if held is None:
            held = self._files[file] = self._read(file)
        first = max(1, first)
        return list(enumerate(held[first - 1 : last], start=first))

    def _read(self, file: str) -> tuple[str, ...]:
        if self._root is None:
            return ()
        try:
            path = self._root / file
            if path.stat().st_size > MAX_BYTES:
                return ()
            return tuple(path.read_text(encoding="utf-8-sig", errors="replace").split("\n"))
        except (OSError, ValueError):
            return ()


@dataclass(frozen=True, slots=True)
class Material:
    """A result and what a format may show beside it. `root` None: no code is at hand, so no excerpts.

    `result` and `rules` are in the language of `say`; `original` is the result as it was judged, for machines."""

    result: AuditResult
    name: str  # what the audited tree is called
    root: Path | None = None
    rules: tuple[Rule, ...] = ()
    version: str = ""
    sources: Sources = field(default_factory=lambda: Sources(None))
    say: Wording = ENGLISH
    stated: AuditResult | None = None

    @property
    def original(self) -> AuditResult:
        """The result in the words in which it was judged."""
        return self.stated or self.result

    @property
    def in_repository(self) -> str:
        """What stands before a path in the repository that holds the root: "" or `backend/`."""
        if self.root is None:
            return ""
        homes = (self.root, *self.root.parents)
        home = next((each for each in homes if (each / ".git").exists()), self.root)
        return _folder(self.root.relative_to(home).as_posix())

    @property
    def from_here(self) -> str:
        """What stands before a path for a reader who is in the working directory: "" or `backend/`."""
        if self.root is None or not self.root.is_relative_to(Path.cwd()):
            return ""
        return _folder(os.path.relpath(self.root))


def build_material(
    result: AuditResult, root: Path, rules: tuple[Rule, ...], version: str, say: Wording = ENGLISH
) -> Material:
    """The material of an audit of `root`, whose files give the excerpts."""
    shown, pages = localised(result, say), localised_rules(rules, say)
    return Material(shown, root.name, root, pages, version, Sources(root), say, result)


def way(finding: Finding) -> tuple[Step, ...]:
    """All steps from the entry point to the effect; () when the finding's own line is all there is."""
    steps = (*finding.entry_path, *finding.path) if has_own_entry(finding) else finding.path
    return tuple(_without_repeats(steps)) if len(steps) > 1 else ()


def _without_repeats(steps: Iterable[Step]) -> list[Step]:
    kept: list[Step] = []
    for each in steps:
        if not kept or kept[-1] != each:
            kept.append(each)
    return kept


def _folder(path: str) -> str:
    return "" if path in {"", "."} else f"{path}/"
