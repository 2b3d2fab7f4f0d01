"""Switches: read once, refused when they mean nothing, stable for a session, complete as a table."""

from __future__ import annotations

import datetime as dt
import re
from pathlib import Path as File

import pytest

from evenkeel.hotpath.switches import SWITCHES, read_switches, rendered
from evenkeel.kernel.errors import ConfigurationError
from evenkeel.kernel.switch import BySession, Path, bucket_of, percent_of

ROOMS = File(__file__).parents[2] / "src" / "evenkeel" / "hotpath"
RULES = {
    "per-call-offload", "count-in-hot-path", "db-poll-loop", "per-event-write", "sync-fallback-on-full-queue",
    "unclaimed-queue-read", "cancel-by-polling", "cpu-bound-in-async", "redundant-copy",
    "unbounded-map",
}  # fmt: skip
SESSIONS = [f"sess_{number:x}" for number in range(4000)]


def test_the_table_is_complete() -> None:
    assert len({switch.name for switch in SWITCHES}) == len(SWITCHES) == 11
    for switch in SWITCHES:
        assert switch.optimised != switch.rollback
        assert re.fullmatch(r"S[1-4]", switch.scenario)
        assert switch.promise
        assert switch.review > dt.date(2026, 1, 1)
    assert {switch.found_by for switch in SWITCHES} == RULES


@pytest.mark.parametrize(("profile", "path"), [("optimised", Path.OPTIMISED), ("rollback", Path.ROLLBACK)])
def test_a_profile_sets_every_switch(profile: str, path: Path) -> None:
    board = read_switches(profile)
    assert {choice.path for choice in board.choices.values()} == {path}
    assert board.pick("storage", optimised=lambda: "fast", rollback=lambda: "old") == (
        "fast" if path is Path.OPTIMISED else "old"
    )


def test_a_setting_overrules_the_profile_for_one_switch() -> None:
    board = read_switches("optimised", {"outbox": "rollback"})
    assert board.choice("outbox").path is Path.ROLLBACK
    assert board.choice("tasks").path is Path.OPTIMISED


@pytest.mark.parametrize("settings", [{"no-such": "rollback"}, {"tasks": "fast"}, {"tasks": "101%"}, {"tasks": -1}])
def test_a_setting_that_means_nothing_is_refused(settings: dict[str, str | int]) -> None:
    with pytest.raises(ConfigurationError) as raised:
        read_switches("optimised", settings)
    assert raised.value.hint


def test_an_unknown_profile_is_refused() -> None:
    with pytest.raises(ConfigurationError):
        read_switches("turbo")


@pytest.mark.parametrize(("value", "percent"), [("optimised", 100), ("rollback", 0), ("25%", 25), ("7", 7), (100, 100)])
def test_what_a_setting_means(value: str | int, percent: int) -> None:
    assert percent_of("x", value) == percent


def test_a_percentage_of_sessions_takes_the_optimised_path() -> None:
    choice = read_switches("rollback", {"events": "25%"}).choice("events")
    taken = [session for session in SESSIONS if choice.path_for(session) is Path.OPTIMISED]
    assert 0.20 < len(taken) / len(SESSIONS) < 0.30


def test_a_session_moves_in_one_direction_only_while_the_percentage_rises() -> None:
    for session in SESSIONS[:200]:
        paths = [read_switches("rollback", {"events": p}).choice("events").path_for(session) for p in range(101)]
        assert paths == sorted(paths, key=lambda path: path is Path.OPTIMISED)
        assert paths[0] is Path.ROLLBACK
        assert paths[100] is Path.OPTIMISED


def test_switches_split_sessions_independently_and_the_same_everywhere() -> None:
    """The numbers are part of the contract: another process, another year, the same bucket."""
    assert [bucket_of("events", name) for name in ("", "a", "sess_1", "\ud800")] == [49, 54, 79, 37]
    both = [bucket_of("events", s) < 50 and bucket_of("tasks", s) < 50 for s in SESSIONS]
    assert 0.2 < sum(both) / len(both) < 0.3


def test_a_split_part_is_built_twice_and_picked_by_session() -> None:
    board = read_switches("optimised", {"events": "50%"})
    split: BySession[list[str]] = board.split("events", optimised=lambda: ["new"], rollback=lambda: ["old"])
    assert len(split.parts) == 2
    assert {tuple(split.of(session)) for session in SESSIONS} == {("new",), ("old",)}
    whole: BySession[list[str]] = board.split("tasks", optimised=lambda: ["new"], rollback=lambda: ["old"])
    assert whole.parts == (["new"],)
    with pytest.raises(ConfigurationError) as raised:
        board.pick("events", optimised=list, rollback=list)
    assert "percentage" in raised.value.message


def test_what_health_shows() -> None:
    shown = rendered(read_switches("optimised", {"events": "25%", "tasks": "rollback"}))
    switches = shown["switches"]
    assert isinstance(switches, dict)
    assert switches["events"]["path"] == "split"
    assert switches["events"]["optimised_percent"] == 25
    assert switches["tasks"]["does"].startswith("poll")
    assert list(switches) == [switch.name for switch in SWITCHES]


def test_only_build_functions_choose_a_path() -> None:
    """One choice point per part: no `if` on a switch anywhere else."""
    choosing = re.compile(r"switch(es|board)\.(pick|split|choice)\(")
    places = {file.name for file in ROOMS.rglob("*.py") if choosing.search(file.read_text())}
    assert places <= {"build.py", "__init__.py"}
    assert places
