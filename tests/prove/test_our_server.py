"""`evenkeel serve` under each scenario, as small as it can be: it works end to end, and what must be 0 is 0."""

from __future__ import annotations

from pathlib import Path

import pytest

from evenkeel.prove.evidence import record
from evenkeel.prove.evidence.page import page
from evenkeel.prove.measure.values import OPTIMISED
from evenkeel.prove.runner import Plan, Show, prove
from tests.postgres import Databases
from tests.prove.conftest import TINY

pytestmark = pytest.mark.timeout(240)  # four servers are started one after the other; the machine may be busy
SMALL = {
    "S1": {**TINY["S1"], "streams": 5, "drain_s": 30},
    "S2": {**TINY["S2"], "drain_s": 20},
    "S3": {**TINY["S3"], "instances": 2, "limit_s": 60, "settle_s": 30, "kill_every_s": 1.5, "ttft_ms": 300},
    "S4": {**TINY["S4"], "rate": 5, "drain_s": 30},
}


@pytest.fixture
def dsn(database: str, request: pytest.FixtureRequest) -> str:
    """Of a PostgreSQL on which databases may be made; nothing for SQLite."""
    if database == "sqlite":
        return ""
    databases: Databases = request.getfixturevalue("postgres_databases")
    return databases.dsn


@pytest.mark.parametrize(
    ("key", "database"), [("S1", "sqlite"), ("S2", "postgres"), ("S3", "postgres"), ("S4", "sqlite")]
)
async def test_what_must_not_happen_does_not(key: str, database: str, dsn: str, tmp_path: Path) -> None:
    told: list[str] = []
    plan = Plan((key,), database=database, dsn=dsn, size="quick", changes=SMALL[key], pairs=1, equals=0)
    evidence = await prove(plan, Show(line=told.append), tmp_path)
    (judged,) = evidence.scenarios
    assert {run.arm for run in judged.runs} == set(evidence.arms), (told, evidence.notes)
    broken = [ruling for ruling in judged.rulings if ruling.arm == OPTIMISED and not ruling.holds]
    assert broken == [], [run.notes for run in judged.runs]
    switches = evidence.switches[OPTIMISED]["switches"]
    assert isinstance(switches, dict)
    assert {each["path"] for each in switches.values()} == {"optimised"}
    assert b"<svg" in page(evidence)
    assert len(record.written(evidence)) < 1_000_000
