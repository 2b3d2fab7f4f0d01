"""The machine-readable result, schema version 1. The same result gives the same bytes; paths use forward slashes."""

from __future__ import annotations

from typing import Any

import msgspec

from evenkeel.audit.model.finding import Finding
from evenkeel.audit.model.result import AuditResult, CategoryResult, SeverityCounts

SCHEMA_VERSION = "1"


def render(result: AuditResult) -> str:
    """JSON text, indented by two, with a newline at the end."""
    return indented(published(result))


def indented(value: Any) -> str:
    """JSON text of plain data. Lone surrogates (file names that are not UTF-8) are written as escapes."""
    try:
        encoded = msgspec.json.encode(value)
    except UnicodeEncodeError:
        encoded = msgspec.json.encode(_encodable(value))
    return msgspec.json.format(encoded, indent=2).decode() + "\n"


def published(result: AuditResult) -> dict[str, Any]:
    """The result as the schema names it: every key present, nothing else."""
    return {
        "schema_version": SCHEMA_VERSION,
        "root": ".",
        "date": result.date,
        "context": result.context,
        "categories": [_category(each) for each in result.categories],
        "overall_score": result.overall_score,
        "severity_counts": _counts(result.counts),
        "sources": msgspec.to_builtins(result.sources),
        "gaps": msgspec.to_builtins(result.gaps),
        "definition_of_done": msgspec.to_builtins(result.definition_of_done),
        **_habits(result),
    }


def _habits(result: AuditResult) -> dict[str, Any]:
    """`suppressed`, `notices` and `view`, each only where there is something to say: they came after version 1."""
    parts = {
        "suppressed": [
            {"by": each.by, "reason": each.reason, "finding": _finding(each.finding)} for each in result.suppressed
        ],
        "notices": msgspec.to_builtins(result.notices),
        "view": msgspec.to_builtins(result.view),
    }
    return {name: part for name, part in parts.items() if part}


def _category(category: CategoryResult) -> dict[str, Any]:
    """`total_issues` and `severity_counts` count what is scored; in `findings` the advisories and unsettled follow."""
    return {
        "category": category.category,
        "worker": category.worker,
        "status": category.status,
        "score": category.score,
        "total_issues": category.counts.total,
        "severity_counts": _counts(category.counts),
        "findings": [_finding(each) for each in (*category.findings, *category.advisories, *category.unsettled)],
    }


def _counts(counts: SeverityCounts) -> dict[str, int]:
    return {"critical": counts.critical, "high": counts.high, "medium": counts.medium, "low": counts.low}


def _finding(finding: Finding) -> dict[str, Any]:
    settled = f" Settled by: {finding.settled_by}" if finding.settled_by else ""
    return {
        "rule": finding.rule,
        "severity": finding.severity,
        "confidence": finding.confidence,
        "file": finding.file,
        "line": finding.line,
        "end_line": finding.end_line,
        "function": finding.function,
        "issue": f"{finding.issue}{settled}",
        "recommendation": finding.recommendation,
        "effort": finding.effort,
        "hot_path": finding.hot_path,
        "path": msgspec.to_builtins(finding.path),
        "fingerprint": finding.fingerprint,
        "advisory": msgspec.to_builtins(finding.advisory),
    }


def _encodable(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, dict):
        return {_encodable(key): _encodable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_encodable(each) for each in value]
    return value
