"""`--watch`: again after a change, once an editor has come to rest; what a run writes itself is no change."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from evenkeel.audit.commands.watching import look, watch
from evenkeel.kernel.errors import UsageError


def test_one_run_after_several_writes_and_errors_are_no_end(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs: list[str] = []
    pauses = 0

    def run() -> int:
        runs.append((tree / "app/jobs.py").read_text())
        (tree / "report.md").write_text(f"run {len(runs)}")
        if len(runs) == 2:
            raise UsageError("That is wrong.", hint="Mend it.")
        return 1

    def pause(_: float) -> None:
        nonlocal pauses
        pauses += 1
        if pauses % 5 == 0:
            (tree / "app/jobs.py").write_text(f"x = {pauses}\n")
        if pauses % 5 == 1 and pauses > 1:
            (tree / "app/jobs.py").write_text(f"xx = {pauses}\n")

    assert watch(tree, run, [tree / "report.md"], pause=pause, rounds=3) == 0
    assert runs[1:] == ["xx = 6\n", "xx = 11\n"]
    assert "evenkeel: That is wrong. Mend it.\n" in capsys.readouterr().err


def test_hidden_folders_and_dependencies_are_not_looked_at(tree: Path) -> None:
    for name in (".git", "node_modules", "__pycache__"):
        (tree / name).mkdir()
        (tree / name / "x.py").write_text("")
    (tree / "gone").symlink_to(tree / "nowhere")
    assert {Path(each).relative_to(tree).as_posix() for each in look(tree)} == {
        "pyproject.toml", "app/__init__.py", "app/jobs.py", "gone",
    }  # fmt: skip


def test_ctrl_c_is_the_way_out(tree: Path) -> None:
    command = [sys.executable, "-m", "evenkeel", "audit", str(tree), "--watch", "--format", "concise"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stderr.readline() == "evenkeel: watching; Ctrl-C ends it.\n"
        assert len(list(_until_overall(process.stdout))) == 4
        (tree / "app/more.py").write_text("import time\n\n\nasync def g() -> None:\n    time.sleep(1)\n")
        assert process.stderr.readline() == "evenkeel: watching; Ctrl-C ends it.\n"
        assert len(list(_until_overall(process.stdout))) == 5
        time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate()
    assert (process.returncode, err) == (0, "")


def _until_overall(lines: Iterator[str]) -> Iterator[str]:
    for line in lines:
        yield line
        if "; overall " in line:
            return
