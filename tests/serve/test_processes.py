"""Whole processes: one that answers and stops in order, several behind one port, and options that cannot be."""

from __future__ import annotations

import asyncio
import os
import re
import signal
from pathlib import Path

import httpx2
import psutil
import pytest

from evenkeel.serve.hosting import ACCEPTS
from tests.serve.processes import KEY, started
from tests.serve.reading import kinds, sse

HEADERS = {"x-api-key": KEY}
RUN = {"user_id": "ann", "question": "echo: one two three"}
pytestmark = pytest.mark.timeout(120)  # a process imports everything that the server is made of


def doors(pid: int) -> int:
    """Descriptors on which a process takes connections."""
    (listening,) = [each for each in psutil.Process(pid).net_connections("tcp") if each.status == psutil.CONN_LISTEN]
    files = Path(f"/proc/{pid}/fd")
    return [each.readlink() for each in files.iterdir()].count((files / str(listening.fd)).readlink())


async def test_a_process_answers_and_stops_in_order(tmp_path: Path) -> None:
    async with started(tmp_path, "--sqlite", str(tmp_path / "a.db")) as server:
        async with httpx2.AsyncClient(base_url=server.url, headers=HEADERS, timeout=30) as http:
            assert (
                await asyncio.to_thread(doors, server.process.pid) == ACCEPTS
            )  # so many connections a round of the loop
            events = sse((await http.post("/wunder", json=RUN)).text)
            assert kinds(events)[-1] == "final"
            slow = {**RUN, "question": "say 60 words"}
            async with http.stream("POST", "/wunder", json=slow) as response:
                reading = response.aiter_text()
                text = await anext(reading)
                server.process.send_signal(signal.SIGTERM)
                text += "".join([part async for part in reading])
            assert sse(text)[-1]["event"] == "final"  # a run that was being watched was let to its end
        assert await server.process.wait() == 0
        assert "Traceback" not in server.log.read_text()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--instances", "2"), "cannot share one SQLite file"),
        (("--demo", "--host", "0.0.0.0"), "--demo opens the server to anyone"),
        (("--postgres", "nonsense"), "Cannot use the database address"),
    ],
)
async def test_options_that_cannot_be(tmp_path: Path, options: tuple[str, ...], message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        async with started(tmp_path, *options):
            pass


async def test_a_family_shares_a_port_and_outlives_a_kill(tmp_path: Path, postgres_dsn: str) -> None:
    settings = {"EVENKEEL_SERVER__RESTART_S": "0.1"}
    async with started(tmp_path, "--postgres", postgres_dsn, "--instances", "2", **settings) as server:
        async with httpx2.AsyncClient(base_url=server.url, headers=HEADERS, timeout=30) as http:
            assert await _processes(http) == {"0", "1"}
            answers = await asyncio.gather(*(_plain(server.url, f"user{number}") for number in range(8)))
            assert answers == ["one two three"] * 8
            os.kill(await _child(server.process.pid), signal.SIGKILL)
            while "starting it again" not in server.log.read_text():  # noqa: ASYNC110
                await asyncio.sleep(0.1)
            while await _processes(http) != {"0", "1"}:  # noqa: ASYNC110
                await asyncio.sleep(0.2)
            assert await _plain(server.url, "after") == "one two three"
        assert await server.stopped() == 0


async def _processes(http: httpx2.AsyncClient) -> set[str]:
    """Which processes the family's metrics speak of."""
    try:
        text = (await http.get("/metrics")).text
    except httpx2.TransportError:  # the connection belonged to the one that was killed
        return set()
    return set(re.findall(r'^evenkeel_process_threads_items\{process="(\d+)"', text, re.MULTILINE))


async def _plain(url: str, user: str) -> str:
    """On a connection of its own, so that the kernel chooses the process."""
    async with httpx2.AsyncClient(base_url=url, headers=HEADERS, timeout=30) as http:
        answer = await http.post("/wunder", json={**RUN, "user_id": user, "stream": False})
        return str(answer.json()["answer"])


async def _child(parent: int) -> int:
    children = Path(f"/proc/{parent}/task/{parent}/children")
    return int((await asyncio.to_thread(children.read_text)).split()[0])


async def test_two_hosts_share_sessions(tmp_path: Path, postgres_dsn: str) -> None:
    """Start on one, watch on the other, cancel from the other: two processes that know only the database."""
    options = ("--postgres", postgres_dsn)
    async with (
        started(tmp_path, *options) as one,
        started(tmp_path, *options) as two,
        httpx2.AsyncClient(base_url=one.url, timeout=30) as first,
        httpx2.AsyncClient(base_url=two.url, timeout=30) as second,
    ):
        login = {"username": "ann", "password": "secret words"}
        token = (await first.post("/wunder/auth/register", json=login)).json()["data"]["access_token"]
        for http in (first, second):
            http.headers["authorization"] = f"Bearer {token}"
        session_id = (await first.post("/wunder/chat/sessions", json={})).json()["data"]["id"]
        path = f"/wunder/chat/sessions/{session_id}"
        body = {"content": "say 5000 words"}
        async with first.stream("POST", f"{path}/messages", json=body) as running:
            await anext(running.aiter_text())
            async with second.stream("GET", f"{path}/resume?after_event_id=0") as watching:
                seen = ""
                cancelled = False
                async for part in watching.aiter_text():
                    seen += part
                    if "llm_output_delta" in seen and not cancelled:
                        cancelled = True
                        answer = await second.post(f"{path}/cancel")
                        assert answer.json()["data"]["cancelled"] is True
        events = sse(seen)
        assert events[0]["event"] == "progress"
        assert (events[-1]["event"], events[-1]["data"]["data"]["code"]) == ("error", "CANCELLED")
