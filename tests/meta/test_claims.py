"""No figure of performance stands on a front page without a run in docs/evidence behind it."""

from __future__ import annotations

from pathlib import Path

import pytest

from evenkeel.prove.evidence.claims import unproved
from evenkeel.prove.evidence.record import read

ROOT = Path(__file__).parents[2]
FRONT = [
    path
    for path in (ROOT / "README.md", ROOT / "README.zh-CN.md", ROOT / "docs" / "why-it-is-fast.md")
    if path.exists()
]
RUNS = [path for path in sorted((ROOT / "docs" / "evidence").glob("*.json")) if b'"scenarios"' in path.read_bytes()]


@pytest.mark.parametrize("document", FRONT, ids=lambda path: path.name)
def test_every_figure_has_a_run(document: Path) -> None:
    assert unproved(document) == []


@pytest.mark.parametrize("run", RUNS, ids=lambda path: path.name)
def test_runs_can_be_read_and_have_their_page(run: Path) -> None:
    assert read(run).scenarios
    assert run.with_suffix(".html").is_file()
