"""Both job boards run, and the faults of the first one show: in the order of events, never in time."""

from __future__ import annotations

import os
import select
import socket
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from tests.examples.conftest import EXAMPLES

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.examples.conftest import Backend

FAULTY, FIXED = "job_board", "job_board_fixed"
COUNT = 3


def put_postings(inbox: Path) -> list[Path]:
    """A folder of ready postings."""
    folder = inbox / "spring"
    folder.mkdir()
    files = [folder / f"{number}.txt" for number in range(1, COUNT + 1)]
    for number, file in enumerate(files, start=1):
        file.write_bytes(posting(number))
    return files


def put_held_postings(inbox: Path) -> list[Path]:
    """A folder of named pipes: reading one ends when the test hands the posting over, so the test sets the pace."""
    folder = inbox / "spring"
    folder.mkdir()
    pipes = [folder / f"{number}.txt" for number in range(1, COUNT + 1)]
    for pipe in pipes:
        os.mkfifo(pipe)
    return pipes


def posting(number: int) -> bytes:
    return f"Title: Job {number}\nCompany: Even Freight\nCity: Bergen\n\nText {number}".encode()


def new_job(backend: Backend) -> int:
    status, job = backend.call("POST", "/jobs", {"folder": "spring"})
    assert status == 201
    assert job["status"] == "queued"
    return int(job["id"])


def start(backend: Backend, job_id: int) -> None:
    assert backend.call("POST", f"/jobs/{job_id}/start") == (202, {"id": job_id})


@pytest.mark.parametrize("name", [FAULTY, FIXED])
def test_an_import_publishes_every_posting(name: str, start_example: Callable[[str], Backend]) -> None:
    backend = start_example(name)
    put_postings(backend.inbox)
    job_id = new_job(backend)
    with backend.events(job_id) as events:
        assert next(events)["status"] == "queued"
        start(backend, job_id)
        seen = list(events)
    assert [event["processed"] for event in seen if event["status"] == "running"][-COUNT:] == [1, 2, 3]
    assert seen[-1] == {"id": job_id, "status": "done", "processed": COUNT, "total": COUNT}
    assert [row["title"] for row in backend.call("GET", "/postings?city=Bergen")[1]] == ["Job 3", "Job 2", "Job 1"]
    assert backend.call("POST", f"/jobs/{job_id}/start")[0] == 409


@pytest.mark.parametrize("name", [FAULTY, FIXED])
def test_a_broken_posting_fails_the_job(name: str, start_example: Callable[[str], Backend]) -> None:
    backend = start_example(name)
    put_postings(backend.inbox)[1].write_bytes(b"no fields here")
    job_id = new_job(backend)
    with backend.events(job_id) as events:
        next(events)
        start(backend, job_id)
        assert list(events)[-1]["status"] == "failed"
    assert backend.call("GET", f"/jobs/{job_id}")[1]["error"] == "2.txt has no line Title:"


@pytest.mark.parametrize("name", [FAULTY, FIXED])
def test_unknown_jobs_are_refused(name: str, start_example: Callable[[str], Backend]) -> None:
    backend = start_example(name)
    assert backend.call("GET", "/jobs/99")[0] == 404
    assert backend.call("GET", "/jobs/99/events")[0] == 404
    assert backend.call("POST", "/jobs/99/start")[0] == 409
    assert backend.call("POST", "/jobs", {"folder": "../etc"})[0] == 422


def test_faulty_progress_arrives_only_at_the_end(start_example: Callable[[str], Backend]) -> None:
    backend = start_example(FAULTY)
    pipes = put_held_postings(backend.inbox)
    job_id = new_job(backend)
    order: list[str] = []
    with backend.events(job_id) as events, ThreadPoolExecutor(1) as pool:
        next(events)
        start(backend, job_id)
        watching = pool.submit(lambda: order.extend(f"progress {event['processed']}" for event in events))
        for number, pipe in enumerate(pipes, start=1):
            with pipe.open("wb") as file:  # returns once the job reads this file
                order.append(f"file {number}")
                file.write(posting(number))
        watching.result()
    progress = [step for step in order if step != "progress 0"]  # the commit of `start` itself
    assert progress == [*(f"file {n}" for n in (1, 2, 3)), *(f"progress {n}" for n in (1, 2, 3)), "progress 3"]


def test_fixed_progress_arrives_as_it_happens(start_example: Callable[[str], Backend]) -> None:
    backend = start_example(FIXED)
    pipes = put_held_postings(backend.inbox)
    job_id = new_job(backend)
    with backend.events(job_id) as events:
        next(events)
        start(backend, job_id)
        for number, pipe in enumerate(pipes, start=1):
            with pipe.open("wb") as file:
                file.write(posting(number))
            # file number + 1 is still held: this event can only come from a commit in between
            assert next(event for event in events if event["processed"] == number)["status"] == "running"
        assert next(events)["status"] == "done"


def test_faulty_board_stands_still_while_a_file_is_read(start_example: Callable[[str], Backend]) -> None:
    backend = start_example(FAULTY)
    pipes = put_held_postings(backend.inbox)
    start(backend, new_job(backend))
    with socket.create_connection(("127.0.0.1", backend.port), timeout=15) as client:
        with pipes[0].open("wb") as file:
            client.sendall(b"GET /health HTTP/1.1\r\nHost: board\r\n\r\n")
            assert select.select([client], [], [], 0.3) == ([], [], [])
            file.write(posting(1))
        for number, pipe in enumerate(pipes[1:], start=2):
            with pipe.open("wb") as file:
                file.write(posting(number))
        assert client.recv(15).startswith(b"HTTP/1.1 200")


def test_fixed_board_answers_while_a_file_is_read(start_example: Callable[[str], Backend]) -> None:
    backend = start_example(FIXED)
    pipes = put_held_postings(backend.inbox)
    start(backend, new_job(backend))
    with pipes[0].open("wb"):
        assert backend.call("GET", "/health") == (200, {"status": "ok"})


def test_the_twins_differ_in_the_processor_alone() -> None:
    faulty, fixed = contents(EXAMPLES / FAULTY), contents(EXAMPLES / FIXED)
    different = {path for path in faulty.keys() | fixed.keys() if faulty.get(path) != fixed.get(path)}
    assert different == {"README.md", "pyproject.toml", "app/services/job_processor.py"}


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file() and path.suffix != ".pyc")
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}
