"""Suppressions: findings that the project does not want reported, by a comment beside the code or by a setting.

`# evenkeel: ignore[slug, slug] reason` speaks of the statement that it stands behind or above,
`# evenkeel: ignore-file[slug] reason` of its file, `per-file-ignores` of the files that a pattern names. Every
suppression names its rules; one that suppresses nothing is told, so that it can go.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from evenkeel.audit.model.finding import Finding, Remark
from evenkeel.audit.model.result import CategoryResult, Notice, Suppressed

if TYPE_CHECKING:
    import pathspec

FORM = "Write `evenkeel: ignore[slug] reason`, or `evenkeel: ignore-file[slug] reason` for the whole file."
_DIRECTIVE = re.compile(r"(?P<verb>ignore(?:-file)?)(?:\s*\[(?P<slugs>[^\]]*)\])?(?P<reason>.*)")


@dataclass(frozen=True, slots=True)
class Directive:
    """A comment that suppresses. `slugs` are known rules; of `whole_file` the lines do not matter."""

    file: str
    line: int
    slugs: tuple[str, ...]
    reason: str
    whole_file: bool
    first: int
    last: int

    def covers(self, finding: Finding) -> bool:
        """Whether it speaks of this finding."""
        if finding.file != self.file or finding.rule not in self.slugs:
            return False
        return self.whole_file or self.first <= finding.line <= self.last


@dataclass(frozen=True, slots=True)
class Suppressions:
    """All of a run. `directives`: file -> its comments, those for single statements first."""

    directives: Mapping[str, tuple[Directive, ...]] = field(default_factory=dict)
    patterns: tuple[tuple[str, pathspec.GitIgnoreSpec, frozenset[str]], ...] = ()  # pattern as written, slugs
    notices: tuple[Notice, ...] = ()  # on comments that cannot be used as they are

    def of(self, finding: Finding) -> Suppressed | None:
        """Who suppresses the finding; None when nobody does. The nearest word counts: statement, file, setting."""
        for each in self.directives.get(finding.file, ()):
            if each.covers(finding):
                return Suppressed(finding, f"comment at {each.file}:{each.line}", each.reason)
        for pattern, spec, slugs in self.patterns:
            if finding.rule in slugs and spec.match_file(finding.file):
                return Suppressed(finding, f"per-file-ignores: {pattern}")
        return None


def build_suppressions(
    remarks: Iterable[Remark], known: Collection[str], per_file: Mapping[str, frozenset[str]]
) -> Suppressions:
    """`known`: the slugs of all rules; `per_file`: pattern -> slugs, already checked."""
    directives: dict[str, list[Directive]] = {}
    notices: list[Notice] = []
    for remark in remarks:
        directive, complaints = _read(remark, known)
        notices += [Notice(remark.file, remark.line, each) for each in complaints]
        if directive is not None:
            directives.setdefault(remark.file, []).append(directive)
    return Suppressions(
        {file: tuple(sorted(each, key=lambda one: (one.whole_file, one.line))) for file, each in directives.items()},
        tuple((pattern, _spec(pattern), slugs) for pattern, slugs in per_file.items()),
        tuple(notices),
    )


def _spec(pattern: str) -> pathspec.GitIgnoreSpec:
    import pathspec  # noqa: PLC0415 - most projects have no such patterns

    return pathspec.GitIgnoreSpec.from_lines([pattern])


def notices(
    suppressions: Suppressions, categories: Iterable[CategoryResult], unjudged: Collection[str]
) -> tuple[Notice, ...]:
    """What is wrong with the comments, by place: those that cannot be read, and the slugs that suppress nothing.

    `unjudged`: rules that did not run to the end, of which nothing is known."""
    found = [finding for category in categories for finding in _everything(category)]
    directives = [each for group in suppressions.directives.values() for each in group]
    unused = [notice for each in directives for notice in _unused(each, found, unjudged)]
    return tuple(sorted({*suppressions.notices, *unused}, key=lambda each: (each.file, each.line, each.what)))


def _unused(directive: Directive, found: Iterable[Finding], unjudged: Collection[str]) -> Iterator[Notice]:
    used = {each.rule for each in found if directive.covers(each)}
    idle = [slug for slug in directive.slugs if slug not in unjudged and slug not in used]
    if idle:
        where = "in this file" if directive.whole_file else "here"
        what = f"unused suppression: {', '.join(idle)} finds nothing {where}. Remove it."
        yield Notice(directive.file, directive.line, what)


def _everything(category: CategoryResult) -> Iterator[Finding]:
    yield from (each.finding for each in category.suppressed)
    yield from (*category.findings, *category.held_back, *category.advisories, *category.unsettled)


def _read(remark: Remark, known: Collection[str]) -> tuple[Directive | None, list[str]]:
    match = _DIRECTIVE.fullmatch(remark.text)
    if match is None:
        return None, [f"a comment that evenkeel does not understand: {remark.text!r}. {FORM}"]
    named = [each.strip() for each in (match["slugs"] or "").split(",") if each.strip()]
    if not named:
        return None, [f"a suppression without a rule suppresses nothing. {FORM}"]
    complaints = [_unknown(each, known) for each in named if each not in known]
    slugs = tuple(dict.fromkeys(each for each in named if each in known))
    whole = match["verb"] == "ignore-file"
    reason = match["reason"].strip().lstrip(":-").strip()
    directive = Directive(remark.file, remark.line, slugs, reason, whole, remark.first, remark.last)
    return (directive if slugs else None), complaints


def _unknown(slug: str, known: Collection[str]) -> str:
    close = difflib.get_close_matches(slug, known, n=1)
    hint = f"Did you mean {close[0]}?" if close else "`evenkeel rules` lists them."
    return f"a suppression of {slug!r}, which is no rule. {hint}"
