"""The baseline: findings that were there when it was written, so that an audit reports those that came since.

A file of JSON, sorted, one finding a line. Entries are compared by fingerprint, which knows no line and no module; equal
ones are counted, and paired with those of the same file and function first.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

import msgspec

from evenkeel.audit.model.finding import Finding
from evenkeel.audit.model.names import local_name
from evenkeel.audit.model.result import AuditResult, BaselineEntry, CategoryResult
from evenkeel.kernel.errors import ConfigurationError, UsageError

FILE_NAME = "evenkeel-baseline.json"
SCHEMA_VERSION = "1"
MAX_BYTES = 100_000_000

Version = Annotated[str, msgspec.Meta(min_length=1)]


class Baseline(msgspec.Struct, frozen=True, gc=False):
    """A baseline file as it was read; `name` is what it was called."""

    name: str
    entries: tuple[BaselineEntry, ...] = ()


class Comparison(NamedTuple):
    """What a baseline and a result have in common, and what only one of them has."""

    known: frozenset[str]  # fingerprints of findings that the baseline has
    kept: tuple[BaselineEntry, ...]  # entries that something was found for, or whose place or rule was not looked at
    stale: tuple[BaselineEntry, ...]  # entries that nothing was found for


class _File(msgspec.Struct, frozen=True, gc=False):
    schema_version: Version
    findings: tuple[BaselineEntry, ...]


def read_baseline(path: Path, name: str = "") -> Baseline:
    """The baseline in a file. Raises UsageError when there is none, ConfigurationError when it cannot be read as one."""
    name = name or str(path)
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise UsageError(f"{name} does not exist.", hint="`evenkeel baseline create` writes a baseline.") from None
    except OSError as error:
        raise ConfigurationError(f"{name} cannot be read: {error.strerror}.", hint="Give a baseline file.") from error
    try:
        content = msgspec.json.decode(data, type=_File)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        hint = "Resolve merge conflicts in it, or remove it and run `evenkeel baseline create`."
        raise ConfigurationError(f"{name} is not a baseline: {error}.", hint=hint) from None
    if content.schema_version != SCHEMA_VERSION:
        what = f"{name} is a baseline of version {content.schema_version!r}; this evenkeel reads {SCHEMA_VERSION!r}."
        raise ConfigurationError(what, hint="Use the evenkeel that wrote it, or create it anew.")
    return Baseline(name, content.findings)


def write_baseline(path: Path, entries: Iterable[BaselineEntry]) -> None:
    """Write the file whole or not at all. Raises UsageError when it cannot be written."""
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        partial.write_text(rendered(entries), encoding="utf-8", newline="\n")
        partial.replace(path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise UsageError(f"{path} cannot be written: {error.strerror}.", hint="Choose another --file.") from error


def rendered(entries: Iterable[BaselineEntry]) -> str:
    """The text of a baseline file: equal entries give equal bytes, whatever their order."""
    lines = [f"    {msgspec.json.encode(_plain(each)).decode()}" for each in sorted(entries, key=_order)]
    listed = "[\n" + ",\n".join(lines) + "\n  ]" if lines else "[]"
    return f'{{\n  "schema_version": "{SCHEMA_VERSION}",\n  "findings": {listed}\n}}\n'


def entry_of(finding: Finding) -> BaselineEntry:
    """A finding as the baseline keeps it: no line, which moves, and no ordinal, as equal ones are counted."""
    function = local_name(finding.function, finding.file)
    return BaselineEntry(finding.file, function, finding.rule, base(finding.fingerprint), finding.issue)


def base(fingerprint: str) -> str:
    """The fingerprint without the ordinal that tells equal findings apart."""
    return fingerprint.partition("-")[0]


def compare(baseline: Sequence[BaselineEntry], result: AuditResult, unjudged: Collection[str] = ()) -> Comparison:
    """What of the baseline is still there. `unjudged`: rules that did not run to the end, of which nothing is known.

    Findings that became advisories or unsettled still stand for their entry; suppressed ones do not."""
    unread = {gap.what for gap in result.gaps if gap.kind in {"unreadable", "unparsed", "skipped"}}
    waiting: dict[str, list[BaselineEntry]] = {}
    for entry in baseline:
        waiting.setdefault(base(entry.fingerprint), []).append(entry)
    found = [each for category in result.categories for each in _standing(category)]
    known, kept = _paired(found, waiting)
    left = [entry for entries in waiting.values() for entry in entries]
    stale = [each for each in left if each.rule not in unjudged and each.file not in unread]
    kept += [each for each in left if each.rule in unjudged or each.file in unread]
    return Comparison(frozenset(known), tuple(sorted(kept, key=_order)), tuple(sorted(stale, key=_order)))


def _paired(found: Sequence[Finding], waiting: dict[str, list[BaselineEntry]]) -> tuple[list[str], list[BaselineEntry]]:
    """Takes the entry of each finding out of `waiting`, those of the same file and function first."""
    known: list[str] = []
    kept: list[BaselineEntry] = []
    late: list[Finding] = []
    for exact in (True, False):
        for finding in found if exact else late:
            entries = waiting.get(base(finding.fingerprint), [])
            number = _number_of(finding, entries) if exact else 0 if entries else None
            if number is None:
                late += [finding] if exact else []
                continue
            kept.append(entries.pop(number))
            known.append(finding.fingerprint)
    return known, kept


def _number_of(finding: Finding, entries: Sequence[BaselineEntry]) -> int | None:
    function = local_name(finding.function, finding.file)
    same = (number for number, each in enumerate(entries) if (each.file, each.function) == (finding.file, function))
    return next(same, None)


def _standing(category: CategoryResult) -> tuple[Finding, ...]:
    return (*category.findings, *category.held_back, *category.advisories, *category.unsettled)


def _plain(entry: BaselineEntry) -> dict[str, str]:
    values: dict[Literal["file", "function", "rule", "fingerprint", "issue"], str] = msgspec.structs.asdict(entry)  # type: ignore[assignment]
    return {key: value.encode("utf-8", "backslashreplace").decode() for key, value in values.items()}


def _order(entry: BaselineEntry) -> tuple[str, str, str, str, str]:
    return entry.file, entry.function, entry.rule, entry.fingerprint, entry.issue
