"""Several servers on one PostgreSQL: begun on one, watched and cancelled on another, taken up when one is killed or stops.

Real processes of `evenkeel serve`, a real database, real connections. What is asserted are outcomes: how long it took is
measured by `tools/measure_takeover.py`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.faults.serving import SLOW, Instance, instance
from tests.faults.watching import Watcher
from tests.serve.sockets import Client, client

WORDS = 400
ANSWER = f"say {WORDS} words"
SOME = 400  # characters
pytestmark = pytest.mark.timeout(120)


@asynccontextmanager
async def two(dsn: str, folder: Path, **settings: str) -> AsyncIterator[tuple[Instance, Instance]]:
    """Two instances on one database, with a model that takes its time."""
    async with instance(dsn, folder, **SLOW, **settings) as one, instance(dsn, folder, **SLOW, **settings) as other:
        yield one, other


@asynccontextmanager
async def watched(there: Instance, headers: dict[str, str], session_id: str) -> AsyncIterator[Client]:
    """A WebSocket that watches a session."""
    async with client(f"{there.ws_url}/wunder/chat/ws", headers) as ws:
        await ws.send("watch", request_id="w", session_id=session_id, payload={"after_event_id": 0})
        yield ws


async def seen_by(ws: Client, watcher: Watcher, *, until: int | None = None) -> None:
    """Read to the run's last word, or until so many characters were seen."""
    while not watcher.ends and (until is None or len(watcher.text) < until):
        message = await ws.next()
        if message["type"] == "event" and message["payload"]["id"] is not None:
            payload = message["payload"]
            watcher.take(payload["event"], int(payload["id"]), payload["data"]["data"])


async def seen_over_sse(there: Instance, watcher: Watcher, headers: dict[str, str], session_id: str) -> None:
    """Follow to the run's last word; a stream that ends before is asked for again."""
    while not watcher.ends:
        async for _ in watcher.follow(there.http, headers, session_id):
            pass


async def settled(there: Instance, headers: dict[str, str], session_id: str) -> None:
    """Nothing is at work in the session any more."""
    path = f"/wunder/chat/sessions/{session_id}/events"
    while (await there.http.get(path, headers=headers)).json()["data"]["running"]:  # noqa: ASYNC110
        await asyncio.sleep(0.05)


async def is_whole(there: Instance, watchers: list[Watcher], headers: dict[str, str], session_id: str) -> None:
    """What watchers put together, what is stored and what the run answered are one text, and it ended once."""
    fresh = Watcher()
    await seen_over_sse(there, fresh, headers, session_id)
    answer = fresh.ends[0]["answer"]
    assert len(answer.split()) == WORDS
    for each in (fresh, *watchers):
        assert each.text == answer
        assert [end["event"] for end in each.ends] == ["final"]
        assert each.ends[0]["answer"] == answer
    messages = await there.messages(headers, session_id)
    assert [(message["role"], message["content"]) for message in messages] == [("user", ANSWER), ("assistant", answer)]


async def test_a_cancel_from_elsewhere_is_seen_once(postgres_dsn: str, tmp_path: Path) -> None:
    async with two(postgres_dsn, tmp_path) as (one, other):
        headers = await one.user("ann")
        session_id = await one.session(headers)
        await one.start(headers, session_id, ANSWER)
        streamed, live = Watcher(), Watcher()
        async with asyncio.TaskGroup() as group, watched(other, headers, session_id) as ws:
            group.create_task(seen_over_sse(other, streamed, headers, session_id))
            await seen_by(ws, live, until=SOME)
            answer = await other.http.post(f"/wunder/chat/sessions/{session_id}/cancel", headers=headers)
            assert answer.json()["data"] == {"cancelled": True}
            await seen_by(ws, live)
            await settled(other, headers, session_id)
        again = Watcher()
        await seen_over_sse(one, again, headers, session_id)
        for each in (streamed, live, again):
            assert [(end["event"], end.get("code")) for end in each.ends] == [("error", "CANCELLED")]
            assert each.kinds[-1] == "error"
        assert live.text == streamed.text == again.text
        assert again.text.startswith(live.text[:SOME])
        await one.start(headers, session_id, "hello")  # nothing is left that would keep the session busy


async def test_a_killed_instances_run_goes_on_elsewhere(postgres_dsn: str, tmp_path: Path) -> None:
    async with two(postgres_dsn, tmp_path) as (one, other):
        headers = await one.user("ann")
        session_id = await one.session(headers)
        await one.start(headers, session_id, ANSWER)
        live, streamed, moved = Watcher(), Watcher(), Watcher()
        async with watched(one, headers, session_id) as ws:
            await seen_by(ws, moved, until=SOME)  # sees live what the other instance sees once it is stored
            async with asyncio.TaskGroup() as group, watched(other, headers, session_id) as elsewhere:
                group.create_task(seen_over_sse(other, streamed, headers, session_id))
                await seen_by(elsewhere, live, until=SOME)
                before = live.text
                one.kill()
                await seen_by(elsewhere, live)
        await seen_over_sse(other, moved, headers, session_id)
        assert live.text.startswith(before)
        assert len(live.resumed) == 1
        await settled(other, headers, session_id)
        await is_whole(other, [live, streamed, moved], headers, session_id)


async def test_an_instance_that_stops_hands_its_run_over_at_once(postgres_dsn: str, tmp_path: Path) -> None:
    """It may not finish what it does within its time to drain: the other goes on, without waiting for a lease to end."""
    quick = {"agent_queue__drain_s": "0.5", "api__drain_s": "0.5", "server__graceful_s": "1"}
    long = {"agent_queue__lease_s": "60", "limiter__lease_s": "60"}
    async with two(postgres_dsn, tmp_path, **quick, **long) as (one, other):
        headers = await one.user("ann")
        session_id = await one.session(headers)
        await one.start(headers, session_id, ANSWER)
        live = Watcher()
        async with watched(other, headers, session_id) as ws:
            await seen_by(ws, live, until=SOME)
            assert await one.stop() == 0
            async with asyncio.timeout(45):  # less than a lease: it was handed back
                await seen_by(ws, live)
        await settled(other, headers, session_id)
        await is_whole(other, [live], headers, session_id)


async def test_an_instance_that_stops_finishes_what_it_can(postgres_dsn: str, tmp_path: Path) -> None:
    async with two(postgres_dsn, tmp_path) as (one, other):
        headers = await one.user("ann")
        session_id = await one.session(headers)
        await one.start(headers, session_id, ANSWER)
        live = Watcher()
        async with watched(other, headers, session_id) as ws:
            await seen_by(ws, live, until=SOME)
            assert await one.stop() == 0
            await seen_by(ws, live)
        assert live.resumed == []
        await is_whole(other, [live], headers, session_id)
