"""Settings from TOML: where they come from, and how a wrong one is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from evenkeel.audit.model.settings import AuditSettings
from evenkeel.kernel.errors import ConfigurationError
from evenkeel.kernel.settings import load_settings


def _load(root: Path) -> AuditSettings:
    return load_settings(root, AuditSettings, others={"serve"})


def _project(root: Path, text: str) -> Path:
    (root / "pyproject.toml").write_text(text, encoding="utf-8")
    return root


def test_defaults_without_a_file(tmp_path: Path) -> None:
    assert _load(tmp_path) == AuditSettings()


def test_every_key_is_read_from_pyproject(tmp_path: Path) -> None:
    text = """
        [project]
        name = "x"
        [tool.evenkeel]
        select = ["n-plus-one"]
        ignore = ["unbounded-map"]
        exclude = ["vendored/"]
        fail-on = "high"
        jobs = 2
        timeout = 30
        [tool.evenkeel.effects.calls."depot.fetch"]
        effects = ["network:http"]
        [tool.evenkeel.serve]
        port = 8000
    """
    assert _load(_project(tmp_path, text)) == AuditSettings(
        select=("n-plus-one",),
        ignore=("unbounded-map",),
        exclude=("vendored/",),
        fail_on="high",
        jobs=2,
        timeout=30,
        effects={"calls": {"depot.fetch": {"effects": ["network:http"]}}},
    )


def test_the_own_file_wins_whole(tmp_path: Path) -> None:
    _project(tmp_path, "[tool.evenkeel]\njobs = 2\ntimeout = 9\n")
    (tmp_path / "evenkeel.toml").write_text("jobs = 3\n", encoding="utf-8")
    assert _load(tmp_path) == AuditSettings(jobs=3)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[tool.evenkeel]\nselct = ['a']\n", ["pyproject.toml: tool.evenkeel.selct is not", "Did you mean select?"]),
        ("[tool.evenkeel]\nzzz = 1\n", ["tool.evenkeel.zzz", "Known settings: select, ignore, exclude, fail-on"]),
        ("[tool.evenkeel]\njobs = 'two'\n", ["pyproject.toml: tool.evenkeel.jobs: Expected `int"]),
        ("[tool.evenkeel]\njobs = 0\n", ["tool.evenkeel.jobs: Expected `int` >= 1"]),
        ("[tool.evenkeel]\nfail-on = 'severe'\n", ["tool.evenkeel.fail-on: Invalid enum value 'severe'"]),
        ("[tool.evenkeel]\nselect = ['a', 1]\n", ["tool.evenkeel.select[1]: Expected `str`"]),
        ("[tool.evenkeel\njobs = 2\n", ["pyproject.toml is not valid TOML", "line 1"]),
        ("[tool]\nevenkeel = 3\n", ["pyproject.toml: tool.evenkeel is not a table"]),
    ],
)
def test_a_wrong_setting_is_named_with_its_path(tmp_path: Path, text: str, words: list[str]) -> None:
    with pytest.raises(ConfigurationError) as caught:
        _load(_project(tmp_path, text))
    for each in words:
        assert each in str(caught.value)
    assert caught.value.hint


@pytest.mark.parametrize("text", ["[project\nname = 1", "tool = 3\n", "[tool.other]\nx = 1\n", "\ufeff[tool]\n"])
def test_a_manifest_without_our_section_never_stops_us(tmp_path: Path, text: str) -> None:
    assert _load(_project(tmp_path, text)) == AuditSettings()


def test_a_manifest_that_is_not_text_never_stops_us(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_bytes(b"\xff\xfe\x00[tool")
    assert _load(tmp_path) == AuditSettings()


def test_a_broken_file_of_our_own_is_refused(tmp_path: Path) -> None:
    (tmp_path / "evenkeel.toml").write_bytes(b"\xff")
    with pytest.raises(ConfigurationError, match=r"evenkeel\.toml is not valid TOML"):
        _load(tmp_path)
