"""Annotations for GitHub Actions: workflow commands on stdout, the worst first, as only the first few are shown.

File names and code of the audited tree are data: what could end a command or begin another one is escaped.
"""

from __future__ import annotations

from collections.abc import Mapping

from evenkeel.audit.model.finding import Finding, Severity
from evenkeel.audit.model.names import local_name
from evenkeel.audit.model.result import worst_first
from evenkeel.audit.report.material import Material, way
from evenkeel.audit.report.text import printable
from evenkeel.audit.wording import Wording

LEVELS: Mapping[Severity, str] = {"CRITICAL": "error", "HIGH": "error", "MEDIUM": "warning", "LOW": "notice"}


def render(material: Material) -> str:
    """One command a finding, then one a notice on a suppression."""
    folder = material.in_repository
    lines = [_annotation(each, folder, material.say) for each in worst_first(material.result.findings)]
    for each in material.result.notices:
        where = {"file": f"{folder}{each.file}", "line": str(each.line), "title": "evenkeel"}
        lines.append(command("warning", where, printable(each.what)))
    for category in material.result.categories:
        if category.status == "failed":
            note = printable(material.say(f"{category.category} was not audited: {category.note}"))
            lines.append(command("error", {"title": "evenkeel"}, note))
    return "".join(f"{line}\n" for line in lines)


def command(name: str, properties: Mapping[str, str], message: str) -> str:
    """A workflow command; nothing in its values can act."""
    listed = ",".join(f"{key}={_property(printable(value))}" for key, value in properties.items())
    return f"::{name} {listed}::{_data(message)}"


def _annotation(finding: Finding, folder: str, say: Wording) -> str:
    properties = {
        "file": f"{folder}{finding.file}",
        "line": str(finding.line),
        "endLine": str(finding.end_line),
        "title": f"{say(finding.severity)} {finding.rule}",
    }
    steps = [f"{each.file}:{each.line} {local_name(each.function, each.file)}" for each in way(finding)]
    lines = [finding.issue, f"{say('Instead:')} {finding.recommendation} ({finding.effort})", *steps]
    return command(LEVELS[finding.severity], properties, "\n".join(printable(each) for each in lines))


def _data(text: str) -> str:
    # `##[` would be obeyed anywhere in a line by runners that still know the older form
    escaped = text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    return escaped.replace("##[", "##%5B")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
