"""`evenkeel mcp` answers a real client: over stdio, over HTTP, and to nobody else."""

from __future__ import annotations

import asyncio
import json
import re
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from mcp import Client

from evenkeel.audit.toolserver.confinement import Confinement
from evenkeel.audit.toolserver.runs import WAITING, Finished, Runs
from evenkeel.audit.toolserver.tools import build_server, summarised
from evenkeel.kernel.errors import NotFoundError, OverloadedError, UnavailableError
from tests.cli.conftest import Run
from tests.toolserver.conftest import stdio, text_of


def server_command(folder: Path) -> list[str]:
    return ["-m", "evenkeel", "mcp", "--root", str(folder)]


@contextmanager
def http_server(folder: Path, environment: dict[str, str]) -> Iterator[str]:
    """The address of a server that was started for it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, *server_command(folder), "--transport", "http", "--port", str(port)]
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            for line in process.stderr:
                if "running on" in line:
                    break
            yield f"http://127.0.0.1:{port}/mcp"
        finally:
            process.kill()


async def session_of(client: Client) -> dict[str, Any]:
    """What a client gets from each tool."""
    async with client:
        listed = await client.list_tools()
        audited = await client.call_tool("audit", {"path": "tiny", "min_severity": "high"})
        explained = await client.call_tool("explain", {"path": "tiny", "file": "api.py", "line": 11})
        page = await client.call_tool("rule", {"slug": "blocking-io-in-async"})
        planned = await client.call_tool("plan", {"path": "tiny", "language": "zh"})
        outside = await client.call_tool("audit", {"path": "/"})
    return {
        "tools": listed.tools,
        "audit": audited,
        "explain": explained,
        "rule": page,
        "plan": planned,
        "outside": outside,
    }


def check(got: dict[str, Any]) -> None:
    assert [each.name for each in got["tools"]] == ["audit", "plan", "explain", "rule"]
    assert all(each.output_schema and each.description for each in got["tools"])
    result = got["audit"].structured_content
    assert not got["audit"].is_error, text_of(got["audit"])
    assert result["severity_counts"]["high"] >= 1
    assert {each["file"] for each in result["findings"]} == {"api.py"}
    assert {each["severity"] for each in result["findings"]} <= {"CRITICAL", "HIGH"}
    assert all(each["path"] and each["recommendation"] for each in result["findings"])
    assert "blocking-io-in-async" in got["explain"].structured_content["explanation"]
    assert got["rule"].structured_content["page"].startswith("blocking-io-in-async (runtime-performance")
    assert "api.py" in got["plan"].structured_content["markdown"]
    assert re.search(r"[\u4e00-\u9fff]", got["plan"].structured_content["markdown"])
    assert got["outside"].is_error
    assert "not within what may be audited" in text_of(got["outside"])
    assert "--root" in text_of(got["outside"])


@pytest.mark.timeout(90)
def test_over_stdio(backend: Path, environment: dict[str, str]) -> None:
    client = stdio(sys.executable, server_command(backend.parent), environment, backend.parent)
    check(asyncio.run(session_of(client)))


@pytest.mark.timeout(90)
def test_over_http_on_this_machine_alone(backend: Path, environment: dict[str, str]) -> None:
    with http_server(backend.parent, environment) as address:
        check(asyncio.run(session_of(Client(address))))
        rebound = urllib.request.Request(address, b"{}", {"Host": "evil.example", "Content-Type": "application/json"})
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(rebound)
        refused.value.close()
        assert refused.value.code == 421


@pytest.mark.timeout(60)
def test_stdout_holds_the_protocol_alone(backend: Path, environment: dict[str, str]) -> None:
    hello = {
        "jsonrpc": "2.0", "id": 1, "method": "initialize",
        "params": {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}},
    }  # fmt: skip
    ready = {"jsonrpc": "2.0", "method": "notifications/initialized"}
    call = {
        "jsonrpc": "2.0", "id": 2, "method": "tools/call",
        "params": {"name": "rule", "arguments": {"slug": "no-such-rule"}},
    }  # fmt: skip
    lines = "".join(f"{json.dumps(each)}\n" for each in (hello, ready, call))
    process = subprocess.Popen(
        [sys.executable, *server_command(backend)], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    with process:
        process.stdin.write(lines)
        process.stdin.flush()
        messages = [json.loads(process.stdout.readline()) for _ in range(2)]
        process.stdin.close()
        rest = process.stdout.read()
    assert [each["id"] for each in messages] == [1, 2]
    assert rest == ""
    assert messages[1]["result"]["isError"] is True
    assert "There is no rule 'no-such-rule'" in messages[1]["result"]["content"][0]["text"]


class Recorded(Runs):
    """Runs nothing; says what it would have run."""

    def __init__(self, finished: Finished) -> None:
        super().__init__(1, 1.0)
        self.asked: list[list[str]] = []
        self._finished = finished

    async def run(self, arguments: Any) -> Finished:
        self.asked.append(list(arguments))
        return self._finished


def called(runs: Runs, folder: Path, tool: str, arguments: dict[str, Any], *, research: bool = False) -> Any:
    async def session() -> Any:
        async with Client(build_server(Confinement((folder,)), runs, research=research)) as client:
            return await client.call_tool(tool, arguments)

    return asyncio.run(session())


def test_what_a_client_sends_becomes_no_option(tmp_path: Path) -> None:
    (tmp_path / "--output=x").mkdir()
    runs = Recorded(Finished(2, "", "evenkeel: nothing here"))
    assert called(runs, tmp_path, "audit", {"path": "--output=x", "select": ["n-plus-one"], "diff": "main"}).is_error
    (command,) = runs.asked
    assert command[:2] == ["audit", str(tmp_path / "--output=x")]
    assert command[2:] == [
        "--format=json", "--quiet", "--tracker=none", "--no-research", "--select=n-plus-one", "--diff=main",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("audit", {"diff": "--output=/tmp/x"}),
        ("audit", {"diff": "-x"}),
        ("audit", {"select": ["--output"]}),
        ("audit", {"limit": 100_000}),
        ("audit", {"path": "../"}),
        ("audit", {"path": "a\0b"}),
        ("audit", {"path": "x" * 4000}),
        ("audit", {"baseline": "../../etc/passwd"}),
        ("explain", {"file": "../secret.py", "line": 1}),
        ("explain", {"file": "link.py", "line": 1}),
        ("explain", {"file": "app.py", "line": 0}),
        ("rule", {"slug": "--help"}),
        ("plan", {"language": "fr"}),
    ],
)
def test_bad_input_is_refused_before_anything_runs(tmp_path: Path, tool: str, arguments: dict[str, Any]) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    (tmp_path / "secret.py").write_text("x = 1\n")
    (inside / "link.py").symlink_to(tmp_path / "secret.py")
    runs = Recorded(Finished(0, "{}", ""))
    result = called(runs, inside, tool, arguments)
    assert result.is_error
    assert runs.asked == []


def test_a_run_that_fails_says_what_the_command_said(tmp_path: Path) -> None:
    failed = Finished(2, "", "Traceback\nevenkeel: /x holds no source file that evenkeel audits. It reads Python.")
    result = called(Recorded(failed), tmp_path, "audit", {})
    assert text_of(result).endswith("/x holds no source file that evenkeel audits. It reads Python.")


def test_research_is_for_those_who_start_the_server(tmp_path: Path) -> None:
    runs = Recorded(Finished(0, "# Plan\n", ""))
    assert called(runs, tmp_path, "plan", {"language": "zh"}, research=True).structured_content == {
        "markdown": "# Plan\n"
    }
    assert "--research" in runs.asked[0]
    assert "--lang=zh" in runs.asked[0]


def test_what_is_left_out_is_counted() -> None:
    def finding(severity: str, line: int, *, hot: bool = False, **more: Any) -> dict[str, Any]:
        return {"severity": severity, "file": "a.py", "line": line, "hot_path": hot, "advisory": None,
                "confidence": "definite", **more}  # fmt: skip

    findings = [
        finding("LOW", 1), finding("HIGH", 3), finding("HIGH", 2, hot=True), finding("CRITICAL", 9),
        finding("HIGH", 4, advisory={"reason": "r"}), finding("HIGH", 5, confidence="needs-context"),
    ]  # fmt: skip
    category = {
        "category": "C",
        "status": "completed",
        "score": 1,
        "total_issues": 4,
        "severity_counts": {},
        "findings": findings,
    }
    result = {
        "overall_score": 1,
        "severity_counts": {},
        "categories": [category],
        "gaps": [{}] * 30,
        "definition_of_done": [],
    }
    got = summarised(result, 2, "high")
    assert [each["line"] for each in got["findings"]] == [9, 2]
    assert (got["findings_left_out"], got["advisories"], got["gaps_left_out"]) == (2, 2, 10)


def test_few_run_few_wait_and_the_next_is_refused(tmp_path: Path) -> None:
    async def crowd() -> Any:
        runs = Runs(1, 30.0)
        calls = [runs.run(["rule", "n-plus-one"]) for _ in range(1 + WAITING + 1)]
        tasks = [asyncio.ensure_future(each) for each in calls]
        await asyncio.sleep(0)
        refused = await asyncio.gather(tasks[-1], return_exceptions=True)
        for each in tasks:
            each.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return refused

    (error,) = asyncio.run(crowd())
    assert isinstance(error, OverloadedError)


def test_a_run_that_takes_too_long_is_ended_with_its_children() -> None:
    with pytest.raises(UnavailableError, match=r"longer than 0\.05 s"):
        asyncio.run(Runs(1, 0.05).run(["rules"]))


def test_links_out_of_the_folder_lead_nowhere(tmp_path: Path) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    (inside / "out").symlink_to(tmp_path)
    with pytest.raises(NotFoundError):
        Confinement((inside,)).folder("out")
    assert Confinement((inside, tmp_path)).folder("out") == tmp_path


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--root", "nowhere"], "nowhere is no folder"),
        (["--port", "0"], "'0' is not a port"),
        (["--transport", "http", "--host", "203.0.113.7"], "203.0.113.7:8765 cannot be used"),
    ],
)
def test_wrong_options_are_told(evenkeel: Run, options: list[str], words: str) -> None:
    result = evenkeel("mcp", *options)
    assert result.returncode == 2
    assert words in result.stderr
