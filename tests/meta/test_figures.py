"""Metrics that documents name exist, and figures that documents show are those that were measured."""

from __future__ import annotations

import re

import pytest

from tests.meta.test_tree import ROOT, inside, text
from tools.parts import results
from tools.reference_parts import made_by_the_parts

GUIDES = sorted((ROOT / "docs" / "guide").glob("hotpath*.md"))
KNOWN = {metric.name for metric in made_by_the_parts()}
ROLLED = ("_bucket", "_count", "_sum")


@pytest.mark.parametrize("guide", GUIDES, ids=inside)
def test_a_metric_that_a_guide_names_exists(guide: str) -> None:
    named = set(re.findall(r"\bevenkeel_[a-z_]+[a-z]", text(guide)))  # type: ignore[arg-type]
    assert {name for name in named if name not in KNOWN and not name.endswith(ROLLED)} == set()


def test_the_page_shows_what_was_measured() -> None:
    before, opened, rest = text(results.PAGE).partition(results.OPEN)
    shown, closed, _ = rest.partition(results.CLOSE)
    assert (opened, closed) == (results.OPEN, results.CLOSE)
    assert before
    kept = results.load()
    assert opened + shown + closed == (results.rendered(kept) if kept else f"{results.OPEN}\n{results.CLOSE}")


def test_no_floor_is_missed_in_silence() -> None:
    """A floor that does not hold is explained on the page, above the figures."""
    said = text(results.PAGE).partition(results.OPEN)[0]
    for goal, _, verdict in results.verdicts(results.load()):
        if verdict == "missed":
            assert f"{goal.room}: {goal.contest}" in said


def test_every_room_was_measured() -> None:
    assert results.load().keys() == set(results.ROOMS)
