"""What a user can get wrong, and what a tree can hold: a clear message or a listed gap, and the right status."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Run


def _gaps(evenkeel: Run, root: Path) -> list[dict[str, Any]]:
    result = evenkeel("audit", root, "--format", "json")
    assert result.returncode == 0, result.stderr
    found: list[dict[str, Any]] = json.loads(result.stdout)["gaps"]
    return found


def test_a_path_that_does_not_exist(evenkeel: Run, tmp_path: Path) -> None:
    for command in ("audit", "discover"):
        result = evenkeel(command, tmp_path / "nowhere")
        assert (result.returncode, result.stdout) == (2, "")
        assert f"evenkeel: {tmp_path / 'nowhere'} does not exist. Give the folder" in result.stderr


def test_a_file_and_an_empty_folder(evenkeel: Run, tmp_path: Path, backend: Path) -> None:
    result = evenkeel("audit", backend / "api.py")
    assert result.returncode == 2
    assert "api.py is a file. Give the folder" in result.stderr
    (tmp_path / "empty").mkdir()
    result = evenkeel("audit", tmp_path / "empty")
    assert result.returncode == 2
    assert "is empty." in result.stderr


def test_no_supported_language(evenkeel: Run, tmp_path: Path) -> None:
    root = tmp_path / "other"
    root.mkdir()
    (root / "main.rb").write_text("puts 1\n")
    (root / "README.md").write_text("# other\n")
    result = evenkeel("audit", root)
    assert (result.returncode, result.stdout) == (2, "")
    assert "holds no source file that evenkeel audits" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_file_that_cannot_be_parsed_is_a_gap_and_the_rest_is_audited(evenkeel: Run, backend: Path) -> None:
    (backend / "broken.py").write_text("def (:\n  ][\n")
    gaps = _gaps(evenkeel, backend)
    assert "broken.py" in {each["what"] for each in gaps}


def test_a_broken_manifest_is_a_gap(evenkeel: Run, backend: Path) -> None:
    (backend / "package.json").write_text("{")
    assert "package.json" in {each["what"] for each in _gaps(evenkeel, backend)}


def test_bytes_that_are_not_python_do_no_harm(evenkeel: Run, backend: Path) -> None:
    (backend / "binary.py").write_bytes(bytes(range(256)) * 64)
    (backend / "latin.py").write_bytes(b"# -*- coding: latin-1 -*-\nNAME = '\xe9'\n")
    (backend / "nul.py").write_bytes(b"x = 1\x00\n")
    (backend / os.fsdecode(b"b\xffd.py")).write_text("x = 1\n")
    _gaps(evenkeel, backend)


def test_symbolic_link_loops_and_dangling_links(evenkeel: Run, backend: Path) -> None:
    (backend / "loop").symlink_to(backend, target_is_directory=True)
    (backend / "gone.py").symlink_to(backend / "nothing.py")
    (backend / "self.py").symlink_to(backend / "self.py")
    _gaps(evenkeel, backend)


def test_things_that_are_not_files_are_left_alone(evenkeel: Run, backend: Path) -> None:
    os.mkfifo(backend / "pipe.py")
    (backend / "folder.py").mkdir()
    _gaps(evenkeel, backend)


def test_a_tree_that_cannot_be_written(evenkeel: Run, backend: Path) -> None:
    for path in (backend / "api.py", backend / "pyproject.toml", backend):
        path.chmod(0o555 if path.is_dir() else 0o444)
    try:
        assert evenkeel("audit", backend).returncode == 0
    finally:
        backend.chmod(0o755)


@pytest.mark.skipif(os.geteuid() == 0, reason="the super-user may read everything")
def test_files_that_may_not_be_read_are_gaps(evenkeel: Run, backend: Path) -> None:
    (backend / "secret.py").write_text("x = 1\n")
    (backend / "secret.py").chmod(0)
    assert "secret.py" in {each["what"] for each in _gaps(evenkeel, backend)}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--select", "n-plus-on"], "There is no rule or category 'n-plus-on'."),
        (["--ignore", "blocking-io-in-asyn"], "Did you mean blocking-io-in-async?"),
        (["--output", "report.doc"], "does not tell its format"),
        (["--output", "nowhere/report.md"], "does not exist"),
        (["--output", "."], "--format"),
        (["--output", ".", "--format", "json"], "is a folder"),
        (["--date", "tomorrow"], "'tomorrow' is not a date such as 2026-02-04"),
        (["--jobs", "0"], "'0' is not a number from 1 to 256"),
        (["--timeout", "-1"], "'-1' is not a number of seconds above 0"),
        (["--timeout", "nan"], "'nan' is not a number of seconds"),
        (["--fail-on", "severe"], "invalid choice: 'severe'"),
        (["--format", "xml"], "invalid choice: 'xml'"),
        (["--tracker", "file"], "Add --tracker-dir FOLDER."),
    ],
)
def test_wrong_options(evenkeel: Run, backend: Path, options: list[str], words: str) -> None:
    result = evenkeel("audit", backend, *options)
    assert (result.returncode, result.stdout) == (2, "")
    assert words in result.stderr
    assert "Traceback" not in result.stderr
