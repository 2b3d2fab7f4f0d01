"""The workspace: files of one user and agent, and no way out of it."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import pytest

from evenkeel.serve.agent.settings import WorkspaceSettings
from evenkeel.serve.agent.tools.kinds import ToolProblemError
from evenkeel.serve.agent.tools.workspace import Workspace, workspace_name
from tests.serve.agent.agents import Script, agent, one, until
from tests.serve.agent.test_event_order import block
from tests.storages import Place


@pytest.fixture
def files(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "in", WorkspaceSettings(file_bytes=1_000, list_entries=5, search_files=3, depth=4))


def test_what_is_written_is_read(files: Workspace) -> None:
    assert files.write("notes/käse.md", "Grüße\n") == 8
    assert files.read("/notes/./käse.md") == "Grüße\n"
    assert files.write("notes/käse.md", "two") == 3
    assert files.read("notes/käse.md") == "two"
    assert [entry["path"] for entry in files.entries("")[0]] == ["notes", "notes/käse.md"]
    assert not list(files.root.rglob("*.part"))


def test_calls_of_one_round_work_side_by_side(files: Workspace) -> None:
    """Up to four calls run at once: a listing never trips over a file that is being written, nor shows it."""
    stop = Event()

    def write(number: int) -> None:
        while not stop.is_set():
            files.write(f"new/{number}.txt", "x")

    with ThreadPoolExecutor(3) as threads:
        writers = [threads.submit(write, number) for number in range(2)]
        try:
            seen = {entry["path"] for _ in range(300) for entry in files.entries("")[0]}
            assert files.search("y", "") == ([], False)
        finally:
            stop.set()
        for each in writers:
            each.result()
    assert seen == {"new", "new/0.txt", "new/1.txt"}


def test_two_calls_make_the_same_directory(files: Workspace) -> None:
    with ThreadPoolExecutor(4) as threads:
        for turn in range(50):
            assert list(threads.map(files.write, [f"{turn}/{n}.txt" for n in range(4)], "abcd")) == [1] * 4


@pytest.mark.parametrize("path", ["../out.txt", "a/../../out.txt", "..", "..\\out.txt", "a\0b", "x" * 300, "a/b/c/d/e"])
def test_a_way_out_is_no_path(files: Workspace, path: str) -> None:
    for use in (files.read, lambda at: files.write(at, "x")):
        with pytest.raises(ToolProblemError):
            use(path)
    assert not (files.root.parent / "out.txt").exists()


def test_links_are_never_followed(files: Workspace, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "key").write_text("sesame")
    files.write("real.txt", "x")
    (files.root / "dir").symlink_to(secret)
    (files.root / "file").symlink_to(secret / "key")
    for use in (
        lambda: files.read("dir/key"),
        lambda: files.read("file"),
        lambda: files.write("dir/key", "x"),
        lambda: files.write("file", "x"),
        lambda: files.edit("file", "sesame", "x", everywhere=False),
        lambda: files.entries("dir"),
        lambda: files.search("sesame", "dir"),
    ):
        with pytest.raises(ToolProblemError):
            use()
    assert (secret / "key").read_text() == "sesame"
    assert files.search("sesame", "") == ([], False)
    assert {entry["path"]: entry["type"] for entry in files.entries("")[0]} == {
        "dir": "link",
        "file": "link",
        "real.txt": "file",
    }


def test_a_pipe_blocks_nobody(files: Workspace) -> None:
    files.write("a.txt", "x")
    os.mkfifo(files.root / "pipe")
    with pytest.raises(ToolProblemError, match="special file"):
        files.read("pipe")
    assert files.search("x", "")[0][0]["path"] == "a.txt"


def test_sizes_are_bounded(files: Workspace) -> None:
    with pytest.raises(ToolProblemError, match="bound is 1000"):
        files.write("big", "x" * 1_001)
    files.write("a", "x")
    (files.root / "big").write_bytes(b"x" * 1_001)
    with pytest.raises(ToolProblemError, match="bound is 1000"):
        files.read("big")
    for number in range(9):
        files.write(f"many/{number}", "needle")
    assert len(files.entries("")[0]) == 5
    assert files.entries("")[1]
    assert files.search("needle", "many")[1]


def test_an_edit_must_be_meant_clearly(files: Workspace) -> None:
    files.write("a.py", "one two one")
    with pytest.raises(ToolProblemError, match="2 times"):
        files.edit("a.py", "one", "1", everywhere=False)
    with pytest.raises(ToolProblemError, match="does not hold"):
        files.edit("a.py", "three", "3", everywhere=False)
    with pytest.raises(ToolProblemError, match="empty"):
        files.edit("a.py", "", "3", everywhere=False)
    assert files.edit("a.py", "one", "1", everywhere=True) == 2
    assert files.read("a.py") == "1 two 1"


def test_a_search_shows_lines(files: Workspace) -> None:
    files.write("a/b.txt", "first\nThe Needle\n")
    assert files.search("needle", "") == ([{"path": "a/b.txt", "line": 2, "text": "The Needle"}], False)


def test_different_people_never_share_a_workspace() -> None:
    names = {workspace_name(user, agent) for user in ("a/b", "a_b", "a b", "..", "") for agent in ("", "x", "main")}
    assert len(names) == 15
    assert all(".." not in name and name.count("/") == 1 for name in names)


async def test_problems_are_results_for_the_model(database: Place, tmp_path: Path) -> None:
    script = Script(
        [
            [
                block("read_file", '{"path":"../../etc/passwd"}'),
                block("read_file", '{"path":7}'),
                block("read_file"),
                block("read_file", '{"path":"none"}'),
                "<tool_call>{broken</tool_call>",
            ],
            ["ok"],
        ]
    )
    async with agent(database, tmp_path, script) as mine:
        told = await mine.told("break out")
        errors = [each.data["error"] for each in told if each.kind == "tool_result"]
        assert [error.split()[0] for error in errors] == ["The", "The", "The", "none", "The"]
        assert "passwd" in errors[0]
        assert str(tmp_path) not in "".join(errors)
        assert one(told, "final")["answer"] == "ok"


async def test_calls_run_at_once_and_answer_in_order(database: Place, tmp_path: Path) -> None:
    script = Script([[block("write_file", f'{{"path":"{n}","content":"{n}"}}') for n in range(9)], ["ok"]])
    async with agent(database, tmp_path, script) as mine:
        told = await mine.told("write")
        results = [each.data["data"]["path"] for each in told if each.kind == "tool_result"]
        assert results == [str(n) for n in range(9)]
        versions = [each.data["tree_version"] for each in told if each.kind == "workspace_update"]
        assert len(versions) == 9
        assert min(versions) > 1_600_000_000_000


async def test_a_cancel_during_a_tool(place: Place, tmp_path: Path) -> None:
    script = Script([["a ", block("write_file", '{"path":"a","content":"x"}')], ["b"]])
    async with agent(place, tmp_path, script) as mine:
        begun = await mine.ask("?")
        await until(lambda: script.at >= 1)
        await mine.runs.cancel("s")
        await begun.subscription.aclose()
        told = await mine.told("again")
        assert one(told, "final")["answer"] == "b"
