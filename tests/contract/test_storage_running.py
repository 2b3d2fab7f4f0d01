"""An open storage: what was accepted is finished, what is too much is refused, what happens is told."""

from __future__ import annotations

import asyncio
import threading

import pytest

from evenkeel.hotpath.ports.chat_log import ChatMessage
from evenkeel.hotpath.ports.errors import (
    SaturatedError,
)
from evenkeel.hotpath.ports.leases import LeaseRequest
from evenkeel.hotpath.storage import JanitorRules, StorageSettings, build_storage
from evenkeel.hotpath.storage.schema import read_migrations
from evenkeel.hotpath.switches import read_switches
from evenkeel.kernel.errors import UsageError
from evenkeel.kernel.metrics import Meters
from tests.contract.messages import said
from tests.storages import Place

LATEST = read_migrations("sqlite")[-1].version


async def test_closing_finishes_what_was_accepted(place: Place) -> None:
    async with place.open() as storage:
        calls = [asyncio.ensure_future(storage.chat.append([said(number)])) for number in range(20)]
        await asyncio.sleep(0)
        await storage.aclose()
        answers = await asyncio.gather(*calls, return_exceptions=True)
        stored = [answer for answer in answers if isinstance(answer, list)]
        assert all(isinstance(answer, list | UsageError) for answer in answers)
        with pytest.raises(UsageError):
            await storage.chat.append([said(99)])
        await storage.aclose()
    async with place.open() as storage:
        assert len((await storage.chat.window("s", "u")).messages) == len(stored) > 0


async def test_a_caller_that_is_cancelled_leaves_the_storage_whole(place: Place) -> None:
    async with place.open(connections=2) as storage:
        for number in range(30):
            call = asyncio.ensure_future(storage.chat.append([said(number)]))
            await asyncio.sleep(0.0002 * (number % 5))
            call.cancel()
            await asyncio.wait([call])
        await storage.chat.append([said(100)])
        window = await storage.chat.window("s", "u")
        assert "text 100" in {message.content for message in window.messages}  # the others may or may not be there


async def test_a_full_queue_refuses_after_a_while(place: Place) -> None:
    async with place.open(queue_bound=2, queue_wait_s=0.0, connections=1, hop_threads=1) as storage:
        answers = await asyncio.gather(
            *(storage.chat.append([said(number)]) for number in range(30)), return_exceptions=True
        )
        refused = [answer for answer in answers if isinstance(answer, SaturatedError)]
        assert refused
        assert all(error.hint and error.retry_after_s > 0 for error in refused)
        stored = len([answer for answer in answers if isinstance(answer, list)])
        assert stored + len(refused) == 30
        assert len((await storage.chat.window("s", "u")).messages) == stored > 0


@pytest.mark.blocking_allowed("the main loop is stalled on purpose")
async def test_a_storage_beside_works_while_the_main_loop_is_stalled(place: Place) -> None:
    async with place.open() as storage:
        lease = await storage.leases.acquire(LeaseRequest("s", "run", "u"))
        assert lease is not None
        renewed: list[frozenset[str]] = []

        async def beat() -> None:
            beside = await storage.beside()
            try:
                renewed.append(await beside.leases.renew([lease], 30))
            finally:
                await beside.aclose()

        thread = threading.Thread(target=lambda: asyncio.run(beat()))
        thread.start()
        thread.join(timeout=10)  # nothing else runs on this loop meanwhile
        assert renewed == [frozenset()]
        assert await storage.leases.live(["s"]) == {"s": lease}


async def test_health_tells_what_is_open(place: Place) -> None:
    async with place.open() as storage:
        health = await storage.health()
        assert health.reachable
        assert health.path == place.profile
        assert health.database.startswith("postgresql" if place.is_postgres else "sqlite 3.")
        assert health.schema == LATEST


async def test_calls_are_metered_on_both_paths(place: Place) -> None:
    meters = Meters()

    def value(name: str, **labels: str) -> float:
        return meters.registry.get_sample_value(name, {"path": place.profile, **labels}) or 0.0

    async with place.open(meters) as storage:
        await storage.chat.append([said(1), said(2)])
        lease = await storage.leases.acquire(LeaseRequest("s", "run", "u"))
        assert lease is not None
        await storage.leases.release(lease)
        await storage.leases.renew([lease], 10)
        with pytest.raises(UsageError):
            await storage.chat.append([ChatMessage("\0", "u", "user", "", b"")])
        with pytest.raises(UsageError):
            await storage.sessions.get("none", None)
    assert value("evenkeel_storage_call_seconds_count", call="append_messages") == 1
    assert value("evenkeel_storage_rows_written_total", table="chat_history") == 2
    assert value("evenkeel_storage_fenced_total", what="lease") == 1
    assert value("evenkeel_storage_wait_seconds_count") > 3


async def test_no_hot_call_hops_to_a_pool_of_threads(database: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lesson n: synchronous writes inside async code capped fan-out near 20."""
    hops: list[object] = []
    async with database.open() as storage:
        loop, threads = asyncio.get_running_loop(), threading.active_count()
        monkeypatch.setattr(loop, "run_in_executor", lambda *work: hops.append(work))
        calls = [asyncio.create_task(storage.chat.append([said(number)])) for number in range(300)]
        leases = [storage.leases.acquire(LeaseRequest(f"s{number}", "run", "u")) for number in range(50)]
        await asyncio.gather(*calls, *leases)
        await storage.chat.window("s", "u")
        assert threading.active_count() == threads
        monkeypatch.undo()
    assert hops == []


async def test_how_busy_the_pool_is_can_be_seen(place: Place) -> None:
    meters = Meters()
    seen: list[float] = []

    def value(name: str) -> float:
        return meters.registry.get_sample_value(f"evenkeel_storage_{name}_items", {"path": place.profile}) or 0.0

    async with place.open(meters) as storage:
        assert value("connections") > 0
        before = value("connections_busy")
        while max(seen, default=before) <= before:  # a thread may have done it all before this one gets to look
            calls = [asyncio.create_task(storage.chat.append([said(number)])) for number in range(200)]
            while max(seen, default=before) <= before and not all(call.done() for call in calls):
                seen.append(value("connections_busy"))
                await asyncio.sleep(0)  # to keep looking would keep the interpreter from the threads it looks for
            await asyncio.gather(*calls)
    assert value("connections_busy") == 0
    assert value("connections") == 0


async def test_the_janitor_works_in_the_background(place: Place) -> None:
    settings = StorageSettings(place.dsn, janitor=JanitorRules(every_s=0.01, events_s=0.001))
    async with build_storage(settings, read_switches(place.profile), Meters()) as storage:
        await storage.events.post("s", "u", b"x")
        for _ in range(500):
            page = await storage.events.read_tail("s")
            if not page.events:
                break
            await asyncio.sleep(0.01)
        assert (page.events, page.epoch > 0) == ((), True)
