"""A session of runs: its order, what stays when it is stopped, and what it leaves behind."""

from __future__ import annotations

import asyncio
import html.parser
import json
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import msgspec
import psutil
import pytest

from evenkeel.kernel.errors import UsageError
from evenkeel.prove.commands import INTERRUPTED, broken
from evenkeel.prove.evidence import baseline, record
from evenkeel.prove.evidence.charts import chart
from evenkeel.prove.evidence.page import page
from evenkeel.prove.evidence.record import Evidence, Judged, Machine
from evenkeel.prove.measure.histograms import encoded, histogram
from evenkeel.prove.measure.values import OPTIMISED, ROLLBACK, Mark, Observation, Saturation
from evenkeel.prove.runner import Plan, Show, check_names, growths, prove, schedule
from evenkeel.prove.scenarios import SCENARIOS, scenario
from evenkeel.prove.verdict import Verdict, judge, rule
from tests.prove.conftest import FAKE, TINY, Tried

QUIET = Saturation(0.001, 0.002, 0.1, 0.001, 0.1, 0.0)


def run(arm: str, pair: int, p95: float, **counts: int) -> Observation:
    values = {"overhead_p50_ms": p95 / 2, "overhead_p95_ms": p95, "turns_per_s": 1000 / p95}
    return Observation(
        arm, pair, pair, "A/B", 1, 10.0, values, {"failed_turns": 0, **counts},
        {"overhead": encoded(histogram([p95 / 2e3, p95 / 1e3]))},
        {"turns_per_s": [(0.5, 10.0), (1.0, 12.0)], "rss_mib": [(0.5, 90.0), (1.0, 91.0)]},
        [Mark(0.7, "kill -9 of <1>")], QUIET, ["2 turns: <b>"],
    )  # fmt: skip


def session(factor: float = 0.3, pairs: int = 6, **counts: int) -> Evidence:
    s1 = scenario("S1", "sqlite")
    runs = [run(OPTIMISED, pair, 10 * factor + 0.01 * pair, **counts) for pair in range(pairs)]
    runs += [run(ROLLBACK, pair, 10 + 0.01 * pair) for pair in range(pairs)]
    findings = [judge(figure, runs, OPTIMISED, ROLLBACK) for figure in s1.figures]
    rulings = [rule(check, runs, OPTIMISED) for check in s1.checks]
    return Evidence(
        record.FORMAT, "2026-11-01T00:00:00+00:00", 60.0, ["evenkeel", "prove", "<S1>"],
        Machine("Some <CPU>", 2, 1024, "Linux", "3.11", 0.1), {"evenkeel": "0.1.0"}, "SQLite 3.54.1", "quick", 1,
        {OPTIMISED: "a", ROLLBACK: "b"}, {OPTIMISED: {"events": "memory"}},
        [Judged("S1", s1.title, s1.load, {"streams": 10.0}, findings, rulings, growths(runs), runs)],
    )  # fmt: skip


def test_equals_are_run_first_and_pairs_in_random_order() -> None:
    plan = Plan(("S1",), size="full", seed=5)
    todo = schedule(scenario("S1", "sqlite"), plan)
    assert [phase for phase, _, _ in todo] == ["A/A"] * 10 + ["A/B"] * 20
    pairs = [tuple(arm.name for _, pair, arm in todo if pair == number) for number in range(15)]
    assert {frozenset(each) for each in pairs[:5]} == {frozenset({OPTIMISED, f"{OPTIMISED}'"})}
    assert {frozenset(each) for each in pairs[5:]} == {frozenset({OPTIMISED, ROLLBACK})}
    assert len(set(pairs[5:])) == 2
    assert [arm.name for _, _, arm in todo] == [arm.name for _, _, arm in schedule(scenario("S1", "sqlite"), plan)]


def test_one_arm_can_be_run_alone() -> None:
    todo = schedule(scenario("S4", "sqlite"), Plan(("S4",), size="full", alone=True))
    assert [(phase, arm.name) for phase, _, arm in todo] == [("A/B", OPTIMISED)]


def test_one_switch_can_be_turned_back_alone() -> None:
    _, theirs = Plan(switch="limiter").arms()
    assert theirs.recipe.profile == OPTIMISED
    assert theirs.recipe.settings == {"EVENKEEL_SWITCHES__LIMITER": ROLLBACK}


def test_every_switch_names_a_scenario_that_exists() -> None:
    from evenkeel.hotpath.switches import SWITCHES  # noqa: PLC0415

    assert {switch.scenario for switch in SWITCHES} <= {each.key for each in SCENARIOS}


def test_names_of_scenarios() -> None:
    assert check_names(["s2", "parts"]) == ["S2", "parts"]
    assert check_names([]) == ["S1", "S2", "S3", "S4"]
    with pytest.raises(UsageError, match="no scenario S9"):
        check_names(["s9"])


@pytest.mark.timeout(90)
async def test_what_was_measured_survives_an_interruption(tmp_path: Path) -> None:
    told: list[str] = []
    plan = Plan(("S1",), command=FAKE, size="quick", changes=TINY["S1"], pairs=50, equals=0)
    proving = asyncio.create_task(prove(plan, Show(line=told.append), tmp_path))
    while not told:  # noqa: ASYNC110 - a line is no event
        await asyncio.sleep(0.05)
    proving.cancel()  # what Ctrl-C does
    evidence = await proving
    assert evidence.interrupted
    assert 1 <= len(evidence.scenarios[0].runs) < 100
    assert b"Interrupted" in page(evidence)


@pytest.mark.timeout(90)
def test_sigterm_ends_it_as_ctrl_c_does(tmp_path: Path) -> None:
    """The command itself: what was measured is written down, and no server stays behind."""
    written, logs = tmp_path / "evidence.json", tmp_path / "logs"
    command = [sys.executable, "-m", "evenkeel", "prove", "S1", "--quick", "--pairs", "50", "--aa", "0", "--quiet"]
    command += [f"--set={name}={number:g}" for name, number in TINY["S1"].items()]
    with subprocess.Popen([*command, "--json", str(written), "--keep", str(logs)]) as process:
        while not list(logs.glob("S1-1")):  # the second run has begun
            time.sleep(0.05)
        children = psutil.Process(process.pid).children(recursive=True)
        process.terminate()
        assert process.wait() == INTERRUPTED
    assert record.read(written).interrupted
    assert children
    assert not any(child.is_running() for child in children)


@pytest.mark.timeout(60)
async def test_a_server_that_does_not_start_is_reported_with_its_log(tmp_path: Path) -> None:
    command = (sys.executable, "-c", "print('no such setting'); raise SystemExit(2)")
    with pytest.raises(Exception, match="no such setting"):
        await prove(Plan(("S1",), command=command, size="quick", pairs=1), Show(), tmp_path)


@pytest.mark.timeout(90)
async def test_another_server_is_loaded_by_its_address(tried: Tried, tmp_path: Path) -> None:
    from evenkeel.prove.load.servers import free_port  # noqa: PLC0415

    port, model = free_port(), free_port()
    other = await asyncio.create_subprocess_exec(
        *FAKE, "--host", "127.0.0.1", "--port", str(port), "--model-url", f"http://127.0.0.1:{model}/v1"
    )
    try:
        evidence = await tried("S1", against=f"http://127.0.0.1:{port}", model_port=model)
    finally:
        other.kill()
        await other.wait()
    runs = evidence.scenarios[0].runs
    assert {each.arm for each in runs} == {OPTIMISED, "against"}, evidence.notes
    assert all(each.counts["failed_turns"] == 0 for each in runs)


def test_evidence_comes_back_as_it_was_written(tmp_path: Path) -> None:
    evidence = session()
    (tmp_path / "e.json").write_bytes(record.written(evidence))
    assert record.read(tmp_path / "e.json") == evidence
    (tmp_path / "other.json").write_text("{}")
    with pytest.raises(UsageError, match="is not evidence"):
        record.read(tmp_path / "other.json")


class Addresses(html.parser.HTMLParser):
    """What a page would load from elsewhere, and which elements are left open."""

    def __init__(self) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.loaded += [value or "" for name, value in attrs if name in {"src", "href"}]


def test_the_page_opens_offline_and_escapes_what_it_shows() -> None:
    text = page(session()).decode()
    found = Addresses()
    found.feed(text)
    assert found.loaded == []
    assert {"script", "link", "img"}.isdisjoint(found.tags)
    assert not re.search(r"@import|url\(", text)
    assert "&lt;CPU&gt;" in text
    assert "<b>;" not in text
    assert "kill -9 of &lt;1&gt;" in text
    assert found.tags.count("svg") >= 4


def test_a_chart_draws_what_it_is_given() -> None:
    drawn = chart("t", {"a": [(0.0, 1.0), (1.0, 3.0)]}, x="s", y="ms", marks=[Mark(0.5, "kill")])
    assert drawn.count("<polyline") == 1
    assert "kill at 0.5 s" in drawn
    assert chart("t", {"a": []}, x="s", y="ms") == ""
    assert "100" in chart("t", {"a": [(0.0, 0.5), (1.0, 200.0)]}, x="s", y="ms", log=True)


def test_a_baseline_holds_ratios_and_no_times(tmp_path: Path) -> None:
    baseline.save(tmp_path / "b.json", session())
    saved = json.loads((tmp_path / "b.json").read_text())
    assert set(saved) == {"database", "size", "ratios", "holding"}
    assert saved["ratios"]["S1 overhead_p95_ms"]["estimate"] == pytest.approx(0.3, abs=0.01)


def test_a_ratio_that_falls_behind_is_named(tmp_path: Path) -> None:
    baseline.save(tmp_path / "b.json", session(0.3))
    old = baseline.load(tmp_path / "b.json")
    assert baseline.fallen_back(old, session(0.31)) == []
    worse = baseline.fallen_back(old, session(0.9))
    assert [each.split(":")[0] for each in worse] == ["S1 overhead_p50_ms", "S1 overhead_p95_ms", "S1 turns_per_s"]
    assert any("failed_turns: held" in each for each in baseline.fallen_back(old, session(0.3, failed_turns=1)))
    with pytest.raises(UsageError, match="SQLite"):
        baseline.fallen_back(old, _on("PostgreSQL 18.4"))


def _on(database: str) -> Evidence:
    return msgspec.structs.replace(session(), database=database)


def test_a_session_is_broken_by_a_count_and_by_a_floor() -> None:
    assert not broken(session(0.3))
    assert broken(session(0.3, failed_turns=1))
    assert broken(session(0.9))
    assert judge(scenario("S1", "sqlite").figures[1], session(0.9).scenarios[0].runs, OPTIMISED, ROLLBACK).verdict is (
        Verdict.BETTER
    )


def test_the_command_explains_itself(tmp_path: Path) -> None:
    (tmp_path / "e.json").write_bytes(record.written(session()))
    shown = _command("prove", "--from", str(tmp_path / "e.json"), "--html", str(tmp_path / "e.html"))
    assert shown.returncode == 0, shown.stderr
    assert "floor 0.7: kept" in shown.stdout
    assert (tmp_path / "e.html").read_bytes().startswith(b"<!doctype html>")
    assert "There is no scenario S7" in _command("prove", "S7").stderr
    assert "no switch nonsense" in _command("prove", "S1", "--switch", "nonsense").stderr
    assert "No scenario here has tokens_per_hour" in _command("prove", "S1", "--set", "tokens_per_hour=1").stderr


def test_without_the_extra_the_command_says_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "hdrh.py").write_text("raise ModuleNotFoundError(name='hdrh')")
    shown = _command("prove", "S1", path=tmp_path)
    assert shown.returncode == 2
    assert "evenkeel[prove]" in shown.stderr


def _command(*arguments: str, path: Path | None = None) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": "", "COLUMNS": "200", **({"PYTHONPATH": str(path)} if path else {})}
    command = [sys.executable, "-m", "evenkeel", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=60)


def test_plans_are_values() -> None:
    assert replace(Plan(), seed=2) != Plan()
