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


def without(path: Path, *modules: str) -> None:
    """A Python that cannot import these modules, as Debian ships it, and says what it is asked to run as a module but `venv`."""
    refused = " ".join(f"*' {each};'*) exit 1;;" for each in modules)
    executable(path, f'case "$*" in {refused} *"-m pip"*) echo ran "$@"; exit 9;; *) exec {sys.executable} "$@";; esac')
    awk = path.with_name("awk")
    awk.symlink_to(shutil.which("awk") or "/usr/bin/awk")


def test_a_python_without_ensurepip_uses_its_pip(tmp_path: Path) -> None:
    without(tmp_path / "bare", "ensurepip")
    result = bootstrap(tmp_path, PYTHON=str(tmp_path / "bare"))
    venv = tmp_path / "venv"
    assert result.stdout.startswith(f"ran -m pip --python {venv}/bin/python install"), result.stderr
    assert f"--require-hashes --no-deps -r {venv}/uv.lock" in result.stdout
    assert (venv / "uv.lock").read_text().startswith("uv==")


def test_a_python_without_ensurepip_and_pip_uses_uv(tmp_path: Path) -> None:
    without(tmp_path / "bare", "ensurepip", "pip")
    executable(tmp_path / "uv", 'case $1 in --version) ;; *) echo ran uv "$@"; exit 9;; esac')
    result = bootstrap(tmp_path, PYTHON=str(tmp_path / "bare"))
    assert result.stdout.startswith(f"ran uv pip install --python {tmp_path}/venv/bin/python"), result.stderr


def test_a_python_without_any_of_them_is_told_what_to_install(tmp_path: Path) -> None:
    without(tmp_path / "bare", "ensurepip", "pip")
    result = bootstrap(tmp_path, PYTHON=str(tmp_path / "bare"))
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    assert result.returncode == 1
    assert f"error: Python {version} ({tmp_path}/bare) comes without ensurepip" in result.stderr
    assert f"apt install python{version}-venv" in result.stderr
    assert not (tmp_path / "venv").exists()


def test_what_is_set_up_is_made_again_for_another_python_alone(tmp_path: Path) -> None:
    bin_folder = tmp_path / "venv" / "bin"
    bin_folder.mkdir(parents=True)
    executable(bin_folder / "python", f'exec {sys.executable} "$@"')
    executable(bin_folder / "uv", 'echo ran uv "$@"')
    executable(
        tmp_path / "other",
        f'case "$*" in *base_prefix*) echo other;; -m*) exit 9;; *) exec {sys.executable} "$@";; esac',
    )
    for named in ({}, {"PYTHON": sys.executable}):
        result = bootstrap(tmp_path, **named)
        assert (result.returncode, result.stderr) == (0, "")
        assert "ran uv pip install --quiet --no-deps --no-build-isolation --editable ." in result.stdout
    result = bootstrap(tmp_path, PYTHON=str(tmp_path / "other"))
    assert (result.returncode, result.stdout) == (9, "")
    assert "setting up" in result.stderr


def test_ci_runs_by_itself() -> None:
    assert os.access(ROOT / ".ci" / "run", os.X_OK)
    assert "make --no-print-directory check test" in (ROOT / ".ci" / "run").read_text()
