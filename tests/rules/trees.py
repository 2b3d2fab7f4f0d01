"""Rule samples: a small source tree as text, audited for real, findings compared with the marks in it.

Marks are trailing comments. In docstrings of rules: `# flagged` on every line the rule must report, none elsewhere. In sample
files also `# missed: why` (should be reported, is not yet) and `# false-alarm: why` (is reported, should not be): both fail as
soon as they are mended, so that the mark is taken out. `# file: app/jobs.py` starts another file.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from evenkeel.audit.discovery import discover
from evenkeel.audit.model.context import build_context
from evenkeel.audit.model.finding import Finding
from evenkeel.audit.workers import WorkerOptions, run_workers

FENCE = re.compile(r"^```(?P<language>\w+) (?P<kind>flags|passes)\n(?P<code>.*?)^```", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"^# file: (\S+)\n", re.MULTILINE)
MARK = re.compile(r"#\s*(flagged|missed|false-alarm)\b")


@dataclass(frozen=True)
class Example:
    """One fenced block of a rule's page."""

    kind: str
    files: dict[str, str]


def examples(page: str) -> list[Example]:
    """The fenced `flags` and `passes` blocks of a page."""
    return [Example(each["kind"], split_files(each["code"])) for each in FENCE.finditer(page)]


def split_files(code: str) -> dict[str, str]:
    """`# file:` headers split a block into files; without one it is `app/main.py`."""
    parts = FILE.split(code)
    files = {"app/main.py": parts[0]} if parts[0].strip() else {}
    files.update(zip(parts[1::2], parts[2::2], strict=True))
    return files


def marked(files: dict[str, str], *kinds: str) -> set[tuple[str, int]]:
    """(file, line) of every line that carries one of the marks."""
    return {
        (name, number)
        for name, text in files.items()
        for number, line in enumerate(text.splitlines(), start=1)
        if (match := MARK.search(line)) and match[1] in kinds
    }


def audit_tree(root: Path, files: dict[str, str], slug: str) -> list[Finding]:
    """Write the files and run the audit's workers with that one rule. Needs-context findings are left out."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    context = build_context(discover(root), {})
    options = WorkerOptions(select=frozenset({slug}), use_cache=False, jobs=1)
    reports = run_workers(root, context, options)
    failed = [each.note for each in reports if each.status == "failed"]
    crashed = [gap for each in reports for gap in each.gaps if gap.kind == "crashed-rule"]
    assert not failed, failed
    assert not crashed, crashed
    return [each for report in reports for each in report.findings if each.confidence != "needs-context"]


def lines_of(found: list[Finding]) -> set[tuple[str, int]]:
    """(file, line) of findings."""
    return {(each.file, each.line) for each in found}
