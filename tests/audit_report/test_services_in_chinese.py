"""What research and the trackers say has Chinese words for every case."""

from __future__ import annotations

import re

import pytest

from evenkeel.audit.research.interview import _WORDS
from evenkeel.audit.research.mcp import refused
from evenkeel.audit.wording import wording_of

SAY = wording_of("zh")
FAILURES = [
    *(f"context7 {words} ({failure})" for failure, words in _WORDS.values()),
    *(f"context7 {refused(status).words} (offline)" for status in (401, 404, 503)),
    "context7 is rate-limited after 3 of 8 answers",
    "context7 did not answer within 20 s after 1,003 of 8 answers (offline)",
    "context7 could not be reached (offline)",
    "context7 ended the connection (offline)",
    "context7 failed (ValueError) (offline)",
    "context7 cannot be started: its program is not there, or not to be run (unconfigured)",
    "context7 offers no tool that finds documentation (unconfigured)",
]
NOTES = [
    *(f"{each}, so it was not asked again" for each in FAILURES),
    "ref lacks its key: set REF_API_KEY (unconfigured), so it was not asked",
    "context7 needs the extra: pip install 'evenkeel[mcp]' (unconfigured), so it was not asked",
    "context7 knows nothing about what it was asked",
    "not asked for; run with --tracker linear or --tracker file",
    "HRB-1 created: https://linear.app/harbour/issue/HRB-1; without the labels refactoring, audit, which the team lacks",
    "team HRB has no project called Epic 0, so it stands in none",
    "T001 in docs/tasks/a.md, named in docs/tasks/kanban_board.md",
    "dry run: the request was printed, not sent",
]
ENGLISH = re.compile(r"\b(?:the|was|not|so|with|which|asked|answer|could|its|after|has)\b")


@pytest.mark.parametrize("note", NOTES)
def test_no_english_is_left(note: str) -> None:
    said = SAY.notes(note)
    assert re.search(r"[\u4e00-\u9fff]", said)
    assert not ENGLISH.search(re.sub(r"https?://\S+|'[^']*'", "", said)), said


def test_origins_are_said_too() -> None:
    assert SAY("context7, retrieved 2026-02-04") == "context7，取自 2026-02-04"
