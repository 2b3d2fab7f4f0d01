"""GitLab's code quality report: a JSON array, one object a finding. Equal fingerprints would be dropped; ours differ."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from evenkeel.audit.model.finding import Finding, Severity
from evenkeel.audit.model.result import worst_first
from evenkeel.audit.report.json import indented
from evenkeel.audit.report.material import Material
from evenkeel.audit.report.text import printable
from evenkeel.audit.wording import Wording

SEVERITIES: Mapping[Severity, str] = {"CRITICAL": "blocker", "HIGH": "critical", "MEDIUM": "major", "LOW": "minor"}


def render(material: Material) -> str:
    """Findings, the worst first; then advisories as information."""
    folder, say = material.in_repository, material.say
    advisories = [each for category in material.result.categories for each in category.advisories]
    items = [_item(each, SEVERITIES[each.severity], folder, say) for each in worst_first(material.result.findings)]
    return indented([*items, *(_item(each, "info", folder, say) for each in worst_first(advisories))])


def _item(finding: Finding, severity: str, folder: str, say: Wording) -> dict[str, Any]:
    return {
        "description": printable(f"{finding.issue}{say.stop}{finding.recommendation}"),
        "check_name": finding.rule,
        "fingerprint": finding.fingerprint,
        "severity": severity,
        "location": {
            "path": f"{folder}{finding.file}",
            "lines": {"begin": finding.line, "end": finding.end_line},
        },
    }
