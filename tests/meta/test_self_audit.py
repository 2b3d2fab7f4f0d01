"""The check that evenkeel passes its own audit can fail: both ways, on a small tree that is audited for real."""

from __future__ import annotations

from pathlib import Path

from evenkeel.hotpath.switches import SWITCHES
from tools.self_audit import ROOT, OldPath, complaints, findings, shipped_paths

OLD = "app/inline.py"
OLD_PATH = OldPath("sleeping", "sync-sleep-in-async", (OLD,), (OLD,))
SLEEPS = "import time\n\nasync def hash_it() -> None:\n    time.sleep(1)\n"
RESTS = "import asyncio\n\nasync def hash_it() -> None:\n    await asyncio.sleep(1)\n"


def said_of(root: Path, files: dict[str, str]) -> list[str]:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return list(complaints(findings(root), [OLD_PATH]))


def test_an_old_path_that_its_rule_finds_is_explained(tmp_path: Path) -> None:
    assert said_of(tmp_path, {OLD: SLEEPS, "app/other.py": RESTS}) == []


def test_an_old_path_that_its_rule_misses_is_told(tmp_path: Path) -> None:
    (told,) = said_of(tmp_path, {OLD: RESTS})
    assert told.startswith(f"{OLD}: sync-sleep-in-async does not find")


def test_a_planted_fault_is_told(tmp_path: Path) -> None:
    (told,) = said_of(tmp_path, {OLD: SLEEPS, "app/other.py": SLEEPS})
    assert told.startswith("app/other.py:4: sync-sleep-in-async: ")


def test_a_fault_that_is_suppressed_with_a_reason_is_explained(tmp_path: Path) -> None:
    right = SLEEPS.replace("sleep(1)", "sleep(1)  # evenkeel: ignore[sync-sleep-in-async] a test of the check")
    assert said_of(tmp_path, {OLD: SLEEPS, "app/other.py": right}) == []


def test_a_place_may_be_one_function_of_a_file(tmp_path: Path) -> None:
    here = OldPath("sleeping", "sync-sleep-in-async", (f"{OLD}::hash_it",), (f"{OLD}::hash_it",))
    (tmp_path / "app").mkdir()
    (tmp_path / OLD).write_text(SLEEPS + "\nasync def hash_it_again() -> None:\n    time.sleep(1)\n")
    (told,) = complaints(findings(tmp_path), [here])
    assert told.startswith(f"{OLD}:7: ")


def test_every_switch_says_where_its_old_path_is() -> None:
    paths = shipped_paths()
    assert [each.switch for each in paths] == [each.name for each in SWITCHES]
    for each in paths:
        assert set(each.found_in) <= set(each.paths)
        for place in each.paths:
            file, _, name = place.partition("::")
            text = (ROOT / file).read_text(encoding="utf-8")
            assert all(f" {part}(" in text or f" {part}:" in text for part in name.split(".") if part), place
