"""SARIF 2.1.0, as GitHub code scanning reads it: rules from their pages, witness paths as code flows.

Suppressed and unsettled findings are left out, since readers of SARIF would show them as open. `security-severity` is
never given: it would make security alerts of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from evenkeel.audit.model.finding import CATEGORIES, Finding, Severity, Step
from evenkeel.audit.model.names import local_name
from evenkeel.audit.model.result import AuditResult, worst_first
from evenkeel.audit.model.rule import Rule
from evenkeel.audit.report.json import indented
from evenkeel.audit.report.material import Material, way
from evenkeel.audit.report.text import printable
from evenkeel.audit.wording import Wording

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
LEVELS: Mapping[Severity, str] = {"CRITICAL": "error", "HIGH": "error", "MEDIUM": "warning", "LOW": "note"}
PROBLEMS = {"error": "error", "warning": "warning", "note": "recommendation"}
PRECISIONS = {"definite": "very-high", "likely": "high", "needs-context": "low"}
LONGEST_RESULTS = 5_000  # as many as GitHub keeps; the worst of them
LONGEST_DESCRIPTION = 1_024  # characters


def render(material: Material) -> str:
    """One run, indented JSON. The same result gives the same bytes."""
    return indented({"$schema": SCHEMA, "version": "2.1.0", "runs": [_run(material)]})


def _run(material: Material) -> dict[str, Any]:
    result, folder = material.result, material.in_repository
    advisories = [each for category in result.categories for each in category.advisories]
    listed = [*worst_first(result.findings), *worst_first(advisories)]
    numbers = {each.slug: number for number, each in enumerate(material.rules)}
    driver: dict[str, Any] = {"name": "evenkeel", "rules": [_rule(each) for each in material.rules]}
    if material.version:
        driver |= {"version": material.version, "semanticVersion": material.version}
    return {
        "tool": {"driver": driver},
        "automationDetails": {"id": f"evenkeel/{quote(folder) or 'audit/'}"},
        "columnKind": "unicodeCodePoints",
        "invocations": [_invocation(result, len(listed), material.say)],
        "results": [_result(each, material, numbers) for each in listed[:LONGEST_RESULTS]],
    }


def _rule(rule: Rule) -> dict[str, Any]:
    level = LEVELS[rule.severity]
    page = rule.page.strip() or rule.title
    return {
        "id": rule.slug,
        "name": "".join(part.title() for part in rule.slug.split("-")),
        "shortDescription": {"text": rule.title},
        "fullDescription": {"text": _summary(page)},
        "help": {"text": page, "markdown": page},
        "defaultConfiguration": {"level": level},
        "properties": {
            "tags": ["performance", rule.category],
            "precision": "high",
            "problem.severity": PROBLEMS[level],
        },
    }


def _summary(page: str) -> str:
    """The page's first paragraph after its title, in one line."""
    paragraphs = [" ".join(each.split()) for each in page.split("\n\n")]
    return (paragraphs[1] if len(paragraphs) > 1 else paragraphs[0])[:LONGEST_DESCRIPTION]


def _result(finding: Finding, material: Material, numbers: Mapping[str, int]) -> dict[str, Any]:
    result: dict[str, Any] = {"ruleId": finding.rule}
    if finding.rule in numbers:
        result["ruleIndex"] = numbers[finding.rule]
    result |= {
        "level": "note" if finding.advisory else LEVELS[finding.severity],
        "message": {"text": printable(f"{finding.issue}{material.say.stop}{finding.recommendation}")},
        "locations": [_location(finding.file, _region(finding, material), finding.function, material)],
        "partialFingerprints": {
            "primaryLocationLineHash": finding.fingerprint,
            "evenkeel/v1": finding.fingerprint,
        },
        "properties": _properties(finding),
    }
    flow = _flow(way(finding), material)
    return result | ({"codeFlows": [flow]} if flow else {})


def _properties(finding: Finding) -> dict[str, Any]:
    advisory = {"advisory": printable(finding.advisory.reason)} if finding.advisory else {}
    return {
        "severity": finding.severity,
        "confidence": finding.confidence,
        "effort": finding.effort,
        "hotPath": finding.hot_path,
        "precision": PRECISIONS[finding.confidence],
        **advisory,
    }


def _flow(steps: Sequence[Step], material: Material) -> dict[str, Any] | None:
    if not steps:
        return None
    places = [
        {
            "location": {
                **_location(each.file, {"startLine": each.line}, each.function, material),
                "message": {"text": printable(local_name(each.function, each.file))},
            }
        }
        for each in steps
    ]
    return {"threadFlows": [{"locations": places}]}


def _location(file: str, region: Mapping[str, int], function: str, material: Material) -> dict[str, Any]:
    uri = quote(f"{material.in_repository}{file}", errors="surrogatepass")
    return {
        "physicalLocation": {"artifactLocation": {"uri": uri, "uriBaseId": "%SRCROOT%"}, "region": dict(region)},
        "logicalLocations": [{"fullyQualifiedName": printable(function), "kind": "function"}],
    }


def _region(finding: Finding, material: Material) -> dict[str, int]:
    """The finding's lines; with columns, from the first character to one past the last, where the code is at hand."""
    region = {"startLine": finding.line, "endLine": finding.end_line}
    lines = dict(material.sources.lines(finding.file, finding.line, finding.end_line))
    if finding.line in lines and finding.end_line in lines:
        first, last = lines[finding.line], lines[finding.end_line].rstrip("\r")
        start = len(first) - len(first.lstrip()) + 1
        region |= {"startColumn": start, "endColumn": max(len(last), start) + 1}
    return region


def _invocation(result: AuditResult, number: int, say: Wording) -> dict[str, Any]:
    failed = [
        say(f"{each.category} was not audited: {each.note}") for each in result.categories if each.status == "failed"
    ]
    said = [("error", each) for each in failed]
    if number > LONGEST_RESULTS:
        left = f"{number - LONGEST_RESULTS:,} findings are left out; those given are the worst."
        said.append(("warning", say(left)))
    said += [("warning", f"{each.file}:{each.line}: {each.what}") for each in result.notices]
    said += [("note", f"{say('not analysed:')} {each.what}: {each.why}") for each in result.gaps]
    return {
        "executionSuccessful": len(failed) < len(CATEGORIES),
        "toolExecutionNotifications": [{"level": level, "message": {"text": printable(text)}} for level, text in said],
    }
