"""Servers that fail on purpose are caught, each by the scenario that is meant for it; a sound one passes them all."""

from __future__ import annotations

import pytest

from evenkeel.prove.commands import broken
from evenkeel.prove.evidence.record import Evidence
from tests.prove.conftest import Tried

pytestmark = pytest.mark.timeout(120)  # whole servers, started and stopped; the machine may be busy


def worst(evidence: Evidence, key: str) -> int:
    (judged,) = evidence.scenarios
    assert judged.runs, evidence.notes
    return max(run.counts[key] for run in judged.runs)


@pytest.mark.parametrize("key", ["S1", "S2", "S3", "S4"])
async def test_a_sound_server_passes(tried: Tried, key: str) -> None:
    evidence = await tried(key)
    (judged,) = evidence.scenarios
    assert len(judged.runs) == 2, evidence.notes
    assert [ruling.check.key for ruling in judged.rulings if not ruling.holds] == []
    assert not broken(evidence)


@pytest.mark.parametrize(
    ("fault", "key", "check"),
    [
        ("lose", "S1", "lost_words"),
        ("lose", "S2", "lost_words"),
        ("double", "S2", "doubled_events"),
        ("reorder", "S2", "reordered_events"),
        ("forget", "S3", "lost_effects"),
        ("twice", "S3", "doubled_effects"),
    ],
)
async def test_a_fault_is_counted(tried: Tried, fault: str, key: str, check: str) -> None:
    evidence = await tried(key, fault)
    assert worst(evidence, check) > 0
    assert broken(evidence)


async def test_a_polling_server_is_seen(tried: Tried) -> None:
    polling, waiting = await tried("S2", "poll"), await tried("S2")
    reads = [run.values["polling_reads_per_s"] for each in (polling, waiting) for run in each.scenarios[0].runs]
    assert min(reads[:2]) > 100
    assert max(reads[2:]) == 0


async def test_a_leaking_server_is_seen(tried: Tried) -> None:
    evidence = await tried("S4", "leak")
    found = {each.verdict for each in evidence.scenarios[0].growths if each.name == "rss_mib"}
    assert found == {"grows"}
    assert broken(evidence)


async def test_a_killed_server_finds_its_tasks_again(tried: Tried) -> None:
    size = {"kill_every_s": 0.6, "tasks": 18, "ttft_ms": 300, "limit_s": 30, "settle_s": 20}
    evidence = await tried("S3", size=size)
    judged = evidence.scenarios[0]
    assert any("kill -9" in mark.what for run in judged.runs for mark in run.marks)
    assert [ruling.check.key for ruling in judged.rulings if not ruling.holds] == []
