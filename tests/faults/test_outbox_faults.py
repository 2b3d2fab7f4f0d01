"""The outbox under faults: nothing queued is lost, what goes out twice goes out under the same key, late outcomes are fenced."""

from __future__ import annotations

import asyncio
import random
import signal
import time
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any, cast

import pytest

from evenkeel.hotpath.outbox import build_outbox
from evenkeel.hotpath.ports.outbox_rows import ClaimedMessage, NewMessage, OutboxRows
from evenkeel.hotpath.storage.opened import OpenStorage
from evenkeel.hotpath.switches import read_switches
from evenkeel.kernel.errors import UnavailableError
from evenkeel.kernel.metrics import Meters
from tests.faults.processes import ask, child, cut_connections, killed, lines_until
from tests.outboxes import SENDING, TEMPLATES, Instance, Wire, message, running
from tests.postgres import Cluster
from tests.queues import sample, until
from tests.storages import Place

LEFT_BEHIND = 2 * SENDING.max_sends
"""What a killed process may have sent without having told the database."""


@pytest.mark.timeout(90)
async def test_dispatchers_killed_at_random_points(database: Place) -> None:
    """Kill -9, three times. Without a crash nothing goes out twice; with one at most what was under way does."""
    chance = random.Random(5)
    names = [f"m{n}" for n in range(1_000)]
    async with running(database) as one:
        await one.dispatcher.submit(*(message(name, f"a{n % 7}") for n, name in enumerate(names)))
    sent: dict[str, list[str]] = defaultdict(list)
    for _ in range(3):
        async with child("send_quickly", database) as process:
            told = await lines_until(process, "sent")
            await asyncio.sleep(chance.uniform(0.0, 0.05))
            told += await killed(process)
        for _, name, _, key in told:
            sent[name].append(key)
    wire = Wire()
    async with running(database, wire, lease_s=SENDING.lease_s) as one:
        await until_sent(one, names)
        assert await one.storage.outbox.failed() == []
    for claimed in wire.sent:
        sent[claimed.outbox_id].append(claimed.idempotency_key)
    assert set(sent) == set(names)
    assert all(set(keys) == {name} for name, keys in sent.items())
    again = Counter(name for name, keys in sent.items() for _ in keys[1:])
    assert 0 < len(wire.sent) < len(names)  # else no process got to send anything
    assert again.total() <= 3 * LEFT_BEHIND


async def until_sent(one: Instance, names: list[str]) -> None:
    """All rows are settled."""
    while True:
        try:
            depth = await one.storage.outbox.depth()
        except UnavailableError:
            continue
        finally:
            await asyncio.sleep(0.02)
        if (depth.waiting, depth.sending) == (0, 0):
            return


@pytest.mark.timeout(60)
async def test_a_dispatcher_that_was_paused_past_its_lease(database: Place) -> None:
    """SIGSTOP in the middle of a send; another sends under the same key; SIGCONT: the late outcome is rejected and
    counted, and what the other stored stays.
    """
    wire = Wire()
    async with running(database, lease_s=SENDING.lease_s) as one:
        async with child("send_once_told", database) as process:
            await one.dispatcher.submit(message("m", idempotency_key="k"))
            assert (await lines_until(process, "sending"))[-1] == ["sending", "m", "1", "k"]
            process.send_signal(signal.SIGSTOP)
            serving = asyncio.create_task(one.dispatcher.serve(wire.sender))
            await until(lambda: one.count("settled_total", status="sent") == 1)
            process.send_signal(signal.SIGCONT)
            await asyncio.sleep(0.5)
            await ask(process)
            assert (await lines_until(process, "counted"))[-1] == ["counted", "1"]
        depth = await one.storage.outbox.depth()
        assert (depth.waiting, depth.sending, depth.failed) == (0, 0, 0)
    await serving
    assert [(each.attempt, each.idempotency_key) for each in wire.sent] == [(2, "k")]


class Stalling:
    """Rows whose first claim is followed by a loop that stands still."""

    def __init__(self, rows: OutboxRows, stall_s: float) -> None:
        self._rows, self._stall_s = rows, stall_s

    def __getattr__(self, name: str) -> Any:
        return getattr(self._rows, name)

    async def claim(self, worker: str, **how: Any) -> list[ClaimedMessage]:
        """As the rows do, then blocks the event loop."""
        claimed = await self._rows.claim(worker, **how)
        if claimed:
            stall_s, self._stall_s = self._stall_s, 0.0
            time.sleep(stall_s)  # noqa: ASYNC251
        return claimed


@pytest.mark.blocking_allowed("a stalled loop is what is tested")
async def test_a_loop_that_stalls_between_claim_and_send_sends_nothing_late(database: Place) -> None:
    """By the time of the answer another might have sent it: given back untried, and sent under a lease that lasts."""
    wire, meters = Wire(), Meters()
    async with database.open(meters) as opened:
        storage = cast(OpenStorage, opened)
        stalled = replace(storage, outbox=cast(OutboxRows, Stalling(storage.outbox, 0.7)))
        switches = read_switches("optimised")
        async with build_outbox(SENDING, switches, meters, stalled, templates=TEMPLATES) as dispatcher:
            serving = asyncio.create_task(dispatcher.serve(wire.sender))
            await dispatcher.submit(message("m"))
            await until(lambda: sample(meters, "evenkeel_outbox_settled_total", status="sent") == 1)
            assert sample(meters, "evenkeel_outbox_deferred_total", why="late") == 1
        await serving
    assert [(each.attempt, each.retries) for each in wire.sent] == [(2, 0)]


async def through(place: Place, trouble: Callable[[int], Awaitable[None]]) -> None:
    """Two dispatchers send while the trouble happens, again and again."""
    wire = Wire()
    names = [f"m{n}" for n in range(90)]
    async with (
        running(place, wire, lease_s=SENDING.lease_s) as one,
        running(place, wire, lease_s=SENDING.lease_s) as two,
    ):
        for turn in range(3):
            part = names[turn * 30 : turn * 30 + 30]
            await submitted(one, [message(name, f"a{n % 5}") for n, name in enumerate(part)])
            await asyncio.sleep(0.01)
            await trouble(turn)
        await until_sent(two, names)
        assert await two.storage.outbox.failed() == []
        errors = [sample(each.meters, "evenkeel_storage_errors_total") for each in (one, two)]
        assert sum(errors) > 0  # else there was no trouble
    assert set(wire.ids) == set(names)
    assert all(each.idempotency_key == each.outbox_id for each in wire.sent)
    assert len(wire.sent) - len(names) <= 3 * 2 * LEFT_BEHIND


async def submitted(one: Instance, messages: list[NewMessage]) -> None:
    """Submitting is repeatable: an unknown outcome is sent again."""
    while True:
        try:
            await one.dispatcher.submit(*messages)
        except UnavailableError:
            await asyncio.sleep(0.02)
        else:
            return


@pytest.mark.timeout(90)
async def test_connections_cut_under_a_sending_outbox(postgres_dsn: str) -> None:
    async def cut(_turn: int) -> None:
        for _ in range(5):
            await cut_connections(postgres_dsn)
            await asyncio.sleep(0.01)

    await through(Place(postgres_dsn, "optimised"), cut)


@pytest.mark.timeout(90)
async def test_a_server_that_restarts_under_a_sending_outbox(postgres_cluster: Cluster) -> None:
    async def crash(turn: int) -> None:
        if turn == 1:
            await asyncio.to_thread(postgres_cluster.stop, "immediate")
            await asyncio.to_thread(postgres_cluster.start)

    await through(Place(postgres_cluster.dsn, "optimised"), crash)
