"""The first minute on a stranger's machine: a fitting Python is found, or the message says what to do."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

from tests.meta.test_tree import ROOT

if TYPE_CHECKING:
    from pathlib import Path

SHELL = shutil.which("sh") or "/bin/sh"


def bootstrap(tmp_path: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [SHELL, str(ROOT / "tools" / "bootstrap.sh"), "requirements.lock"]
    variables = {"PATH": str(tmp_path), "VENV": str(tmp_path / "venv"), **environment}
    return subprocess.run(command, cwd=ROOT, env=variables, capture_output=True, text=True, check=False)


def executable(path: Path, content: str) -> None:
    path.write_text(f"#!{SHELL}\n{content}\n")
    path.chmod(0o755)


def test_a_named_python_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    executable(tmp_path / "old", "exit 1")
    result = bootstrap(tmp_path, PYTHON=str(tmp_path / "old"))
    assert result.returncode == 1
    assert f"PYTHON={tmp_path}/old is not a Python 3.11 or newer" in result.stderr
    assert "apt install python3 python3-venv" in result.stderr
    assert not (tmp_path / "venv").exists()


def test_a_shim_that_does_not_run_is_passed_over(tmp_path: Path) -> None:
    executable(tmp_path / "python3", "exit 127")
    executable(tmp_path / "python3.13", f'case $1 in -m) echo made "$@"; exit 9;; *) exec {sys.executable} "$@";; esac')
    result = bootstrap(tmp_path)
    assert result.stdout.startswith("made -m venv --clear")
    assert f"with Python {sys.version.split()[0]}" in result.stderr


def test_ci_runs_by_itself() -> None:
    assert os.access(ROOT / ".ci" / "run", os.X_OK)
    assert "make --no-print-directory check test" in (ROOT / ".ci" / "run").read_text()
