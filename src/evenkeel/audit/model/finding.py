"""Findings: what a rule judged, and the values a worker and the whole audit answer with. Facts are seen, findings are judged."""

from __future__ import annotations

from typing import Literal

import msgspec

Severity = Literal["CRITICAL", "HIGH", "MEDIUM", "LOW"]
SEVERITIES: tuple[Severity, ...] = ("CRITICAL", "HIGH", "MEDIUM", "LOW")
Confidence = Literal["definite", "likely", "needs-context"]
Effort = Literal["S", "M", "L"]  # under an hour, one to four hours, longer

QUERY_EFFICIENCY = "query-efficiency"
TRANSACTION_CORRECTNESS = "transaction-correctness"
RUNTIME_PERFORMANCE = "runtime-performance"
CATEGORIES: tuple[tuple[str, str, str], ...] = (  # worker name, category title, priority
    (QUERY_EFFICIENCY, "Query Efficiency", "HIGH"),
    (TRANSACTION_CORRECTNESS, "Transaction Correctness", "HIGH"),
    (RUNTIME_PERFORMANCE, "Runtime Performance", "MEDIUM"),
)


class Step(msgspec.Struct, frozen=True, gc=False):
    """One step of a witness path: the line in `function` at which the path goes on to the next step."""

    file: str
    line: int
    function: str


class Advisory(msgspec.Struct, frozen=True, gc=False):
    """Why a finding costs no points: which rule of the context rules made it an advisory, and on what evidence."""

    reason: str  # "execution-context", "runs-once" or "Planned: ADR-12"
    evidence: tuple[str, ...]
    original_severity: Severity


class Finding(msgspec.Struct, frozen=True, gc=False):
    """One judged fault. `path` leads from where it starts to hurt to where the effect happens."""

    rule: str
    severity: Severity
    confidence: Confidence
    file: str
    line: int
    end_line: int
    function: str  # qualified name: module and function
    issue: str
    recommendation: str
    effort: Effort
    hot_path: bool = False
    path: tuple[Step, ...] = ()
    fingerprint: str = ""
    advisory: Advisory | None = None
    # evidence for the context rules, not part of the published result
    entry_path: tuple[Step, ...] = ()  # from the handler or loop that makes it hot
    contexts: tuple[str, ...] = ()  # reasons to lower, e.g. "inside set-up function `configure`"
    settled_by: str = ""  # for needs-context: the fact that would settle it


class Gap(msgspec.Struct, frozen=True, gc=False):
    """Something that was not looked at, and why. Never silently a clean bill."""

    kind: Literal["unreadable", "unparsed", "unresolved", "unsupported", "crashed-rule", "skipped", "worker"]
    what: str  # a path, rule or language
    why: str
    count: int = 1


class Remark(msgspec.Struct, frozen=True, gc=False):
    """A comment in the audited code that speaks to evenkeel: `text` is what stands after `evenkeel:`.

    `first` and `last` are the lines of the statement that it speaks of, its own line included."""

    file: str
    line: int
    text: str
    first: int
    last: int


class WorkerReport(msgspec.Struct, frozen=True, gc=False):
    """What one of the three workers answers."""

    worker: str
    category: str
    status: Literal["completed", "failed"]
    findings: tuple[Finding, ...] = ()
    gaps: tuple[Gap, ...] = ()
    lines: int = 0  # audited lines of code
    files: int = 0
    note: str = ""  # why it failed
    seconds: float = 0.0
    remarks: tuple[Remark, ...] = ()  # of all files; the first of the three reports holds them
