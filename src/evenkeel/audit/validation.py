"""The context rules: evidence about where code runs, and recorded decisions, lower a finding or make it an advisory.

They are applied in aggregation. The evidence was gathered by the workers and stands in `Finding.contexts`; nothing here
looks at code.
"""

from __future__ import annotations

import msgspec

from evenkeel.audit.model.finding import SEVERITIES, Advisory, Finding, Severity

EXECUTION_CONTEXT_RULES = frozenset(
    {"blocking-io-in-async", "cpu-bound-in-async", "redundant-fetch", "wide-transaction", "session-across-stream"}
)
# What costs the one who waits while it runs, and nothing after: in code that runs once there is nobody.
RUN_ONCE_RULES = frozenset(
    {"n-plus-one", "n-write-loop", "missing-bulk", "over-fetching", "redundant-fetch", "unnecessary-resolve"}
    | {"wide-transaction", "long-transaction"}
)
# What blocks a loop: other tasks may run on it while a part starts up, but for what the framework runs before requests come.
BLOCKING_RULES = frozenset({"blocking-io-in-async", "sync-sleep-in-async", "cpu-bound-in-async"})
BEFORE_REQUESTS = "once: start-up itself"
ONCE = "once"  # the kind of evidence that code runs once
_ALWAYS_EXEMPT = frozenset({"n-plus-one", "unclaimed-queue-read", "lock-across-await"})
ADVISORY_FROM = 3  # kinds of evidence; fewer lower the severity by one


def evidence_kind(evidence: str) -> str:
    """Which kind a piece of evidence is: what stands before the first `: `, as in `set-up: inside app.db.init`."""
    return evidence.partition(": ")[0]


def is_exempt(finding: Finding) -> bool:
    """Whether the finding may never be lowered, whatever its context."""
    return (
        finding.rule in _ALWAYS_EXEMPT
        or (finding.rule == "n-write-loop" and finding.hot_path)
        or (finding.rule == "missing-rollback" and finding.severity == "CRITICAL")
    )


def one_lower(severity: Severity) -> Severity:
    """The next lower severity; LOW stays LOW."""
    return SEVERITIES[min(SEVERITIES.index(severity) + 1, len(SEVERITIES) - 1)]


def weigh_context(finding: Finding) -> Finding:
    """The finding after the execution-context rule. Used evidence moves into its text, so a second pass is idle.

    A finding that its rule made LOW because the code runs once is an advisory, exempt from lowering or not."""
    if not finding.contexts or finding.advisory is not None:
        return finding
    once = [each for each in finding.contexts if evidence_kind(each) == ONCE]
    if once and finding.severity == "LOW" and _is_spared(finding.rule, once[0]):
        return _run_once(finding, once[0])
    finding = msgspec.structs.replace(finding, contexts=tuple(each for each in finding.contexts if each not in once))
    if not finding.contexts:
        return finding
    if finding.rule not in EXECUTION_CONTEXT_RULES or is_exempt(finding):
        return finding
    kinds = {evidence_kind(each) for each in finding.contexts}
    if len(kinds) >= ADVISORY_FROM:
        return _advised(finding)
    return _lowered(finding)


def _is_spared(rule: str, evidence: str) -> bool:
    return rule in RUN_ONCE_RULES or (rule in BLOCKING_RULES and evidence.startswith(BEFORE_REQUESTS))


def _run_once(finding: Finding, evidence: str) -> Finding:
    advisory = Advisory("runs-once", (evidence,), finding.severity)
    return msgspec.structs.replace(finding, advisory=advisory, contexts=())


def _advised(finding: Finding) -> Finding:
    advisory = Advisory("execution-context", finding.contexts, finding.severity)
    return msgspec.structs.replace(finding, advisory=advisory, contexts=())


def _lowered(finding: Finding) -> Finding:
    lower = one_lower(finding.severity)
    if lower == finding.severity:
        return msgspec.structs.replace(finding, contexts=())
    why = "; ".join(finding.contexts)
    issue = f"{finding.issue} ({finding.severity} lowered to {lower} by {why})"
    return msgspec.structs.replace(finding, severity=lower, issue=issue, contexts=())
