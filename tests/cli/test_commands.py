"""The other commands, start-up, and the ends a run can come to that are not its own."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from evenkeel import __version__
from tests.cli.conftest import Run


def test_version_and_help(evenkeel: Run) -> None:
    assert evenkeel("--version").stdout == f"evenkeel {__version__}\n"
    assert "audit" in evenkeel("--help").stdout
    nothing = evenkeel()
    assert nothing.returncode == 2
    assert "COMMAND" in nothing.stderr


def test_nothing_heavy_is_imported_at_start(environment: dict[str, str]) -> None:
    script = (
        "import sys\nfrom evenkeel.cli import main\n"
        "try:\n    main(['audit', '--help'])\nexcept SystemExit:\n    pass\n"
        "print(sorted({'msgspec', 'rich', 'sqlglot', 'tree_sitter', 'yaml', 'asyncio'} & set(sys.modules)))"
    )
    command = [sys.executable, "-c", script]
    result = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
    assert result.stdout.endswith("[]\n")
    assert "--fail-on" in result.stdout


def test_discover(evenkeel: Run, backend: Path) -> None:
    text = evenkeel("discover", backend)
    assert (text.returncode, text.stderr) == (0, "")
    assert "web: fastapi" in text.stdout
    assert "[pyproject.toml:" in text.stdout
    data = json.loads(evenkeel("discover", backend, "--format", "json").stdout)
    assert data["root"] == "."
    assert "fastapi" in {each["name"] for each in data["technologies"]}


def test_rules_and_rule(evenkeel: Run) -> None:
    listed = evenkeel("rules")
    assert listed.returncode == 0
    assert [line for line in listed.stdout.splitlines() if line and not line.startswith(" ")] == [
        "Query Efficiency",
        "Transaction Correctness",
        "Runtime Performance",
    ]
    page = evenkeel("rule", "blocking-io-in-async")
    assert page.returncode == 0
    assert page.stdout.startswith("blocking-io-in-async (runtime-performance, HIGH)\n\n")
    assert "**Do instead.**" in page.stdout
    unknown = evenkeel("rule", "blocking-io")
    assert (unknown.returncode, unknown.stdout) == (2, "")
    assert "There is no rule 'blocking-io'. Did you mean blocking-io-in-async?" in unknown.stderr


def test_a_reader_who_leaves_early_is_no_error(environment: dict[str, str], backend: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "evenkeel", "audit", str(backend), "--format", "json"]
    result = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, env=environment, check=False)
    os.close(writing)
    assert (result.returncode, result.stderr) == (0, b"")


@pytest.mark.parametrize("no_color", [False, True])
def test_a_terminal_gets_colour_unless_it_is_refused(
    environment: dict[str, str], backend: Path, no_color: bool
) -> None:
    env = environment | {"TERM": "xterm-256color"} | ({"NO_COLOR": "1"} if no_color else {})
    main, other = pty.openpty()
    command = [sys.executable, "-m", "evenkeel", "audit", str(backend)]
    with subprocess.Popen(command, stdout=other, stderr=subprocess.PIPE, env=env) as process:
        os.close(other)
        shown = b"".join(iter(lambda: _read(main), b""))
        assert process.wait() == 0
    os.close(main)
    assert b"Definition of done" in shown
    assert (b"\x1b[31m" in shown or b"\x1b[32m" in shown) is not no_color


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 65536)
    except OSError:  # Linux says EIO when the other side is closed
        return b""


def test_a_crash_is_status_2_and_says_where(environment: dict[str, str], backend: Path) -> None:
    script = (
        "import sys\nfrom evenkeel.audit import commands\nfrom evenkeel.cli import main\n"
        "def broken(*_):\n    raise ZeroDivisionError('x')\n"
        "commands.audit = broken\n"
        f"sys.exit(main(['audit', {str(backend)!r}]))"
    )
    for debug in ("", "1"):
        env = environment | {"EVENKEEL_DEBUG": debug}
        command = [sys.executable, "-c", script]
        result = subprocess.run(command, capture_output=True, text=True, env=env, check=False)
        assert (result.returncode, result.stdout) == (2, "")
        assert "ZeroDivisionError" in result.stderr
        assert "report it" in result.stderr
        assert ("Traceback" in result.stderr) is bool(debug)


def test_ctrl_c_ends_the_run_and_its_workers(environment: dict[str, str], tmp_path: Path) -> None:
    root = tmp_path / "large"
    root.mkdir()
    body = "\n".join(f"async def f{n}(x):\n    return await g{n}(x, {n})\n" for n in range(300))
    for number in range(150):
        (root / f"m{number}.py").write_text(body)
    command = [sys.executable, "-m", "evenkeel", "audit", str(root), "--no-cache"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment) as process:
        children = _wait_for_children(process)
        assert children, "the run ended before it had workers"
        process.send_signal(signal.SIGINT)
        out, err = process.communicate()
    assert process.returncode == 130
    assert out == b""
    assert err == b"evenkeel: interrupted; nothing was finished.\n"
    _wait_until_gone(children)  # else the test's own time-out ends it


def test_ctrl_c_while_the_index_is_made_leaves_no_process(environment: dict[str, str], tmp_path: Path) -> None:
    """The process that links has one of its own; the signal reaches the first of the three alone."""
    root = tmp_path / "large"
    root.mkdir()
    body = "\n".join(f"async def f{n}(x):\n    return await g{n}(x, {n})\n" for n in range(60))
    for number in range(120):
        (root / f"m{number}.py").write_text(body)
    command = [sys.executable, "-m", "evenkeel", "audit", str(root), "--no-cache", "--jobs", "2"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment) as process:
        family = _wait_for_grandchildren(process)
        assert family, "the run ended before the index was made"
        process.send_signal(signal.SIGINT)
        out, err = process.communicate()
    assert process.returncode == 130
    assert (out, err) == (b"", b"evenkeel: interrupted; nothing was finished.\n")
    _wait_until_gone(family)  # else the test's own time-out ends it


def _wait_for_grandchildren(process: subprocess.Popen[bytes]) -> list[str]:
    """A child that has a child, and that child."""
    while process.poll() is None:
        for child in _children(process.pid):
            for grandchild in _children(child):
                return [child, grandchild]
        time.sleep(0.002)
    return []


def _children(process: int | str) -> list[str]:
    try:
        return Path(f"/proc/{process}/task/{process}/children").read_text().split()
    except OSError:
        return []


def _wait_until_gone(processes: list[str]) -> None:
    while any(_runs(each) for each in processes):
        time.sleep(0.01)


def _runs(process: str) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def _wait_for_children(process: subprocess.Popen[bytes]) -> list[str]:
    while process.poll() is None:
        children = _children(process.pid)
        if children:
            return children
        time.sleep(0.005)
    return []


def test_a_remembered_run_loads_neither_rules_nor_what_links(tmp_path: Path) -> None:
    root = tmp_path / "app"
    root.mkdir()
    (root / "main.py").write_text("import time\n\n\nasync def f() -> None:\n    time.sleep(1)\n")
    code = (
        "import sys; from evenkeel.cli import main; status = main(sys.argv[1:]);"
        "print([each for each in sys.modules if each.startswith(('evenkeel.audit.rules.', 'evenkeel.audit.effects'))],"
        " file=sys.stderr)"
    )
    command = [sys.executable, "-c", code, "audit", str(root), "--format", "json", "--quiet"]
    environment = {**os.environ, "EVENKEEL_CACHE_DIR": str(tmp_path / "cache")}
    first, second = (
        subprocess.run(command, env=environment, capture_output=True, text=True, check=True) for _ in range(2)
    )
    assert "sync_sleep_in_async" in first.stderr
    assert second.stderr.strip() == "[]"
    assert second.stdout == first.stdout
