"""What the optimised path of the dispatcher promises beyond the other; and that either path takes up the other's rows."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, cast

import pytest

from evenkeel.hotpath.outbox import build_outbox
from evenkeel.hotpath.ports.dispatcher import SendClass, SendResult
from evenkeel.hotpath.ports.outbox_rows import ClaimedMessage, Delivery, Group, OutboxRows
from evenkeel.hotpath.storage.opened import OpenStorage
from evenkeel.hotpath.switches import read_switches
from evenkeel.kernel.clock import SystemClock
from evenkeel.kernel.metrics import Meters
from tests.outboxes import QUICK, SENT, TEMPLATES, Wire, message, running
from tests.queues import sample, until
from tests.storages import Place


async def test_many_instances_send_nothing_twice(database: Place) -> None:
    wire = Wire()
    async with running(database, wire) as one, running(database, wire) as two:
        for n in range(0, 90, 10):
            rows = [message(f"m{n + i}", f"a{i % 4}") for i in range(10)]
            await (one, two)[n // 10 % 2].dispatcher.submit(*rows)
        sent = "settled_total"
        await until(lambda: one.count(sent, status="sent") + two.count(sent, status="sent") == 90)
    assert sorted(wire.ids) == sorted(f"m{n}" for n in range(90))


async def test_each_account_has_its_bound_and_all_together_theirs(database: Place) -> None:
    async def pause(claimed: ClaimedMessage) -> SendResult:
        await asyncio.sleep(0.003)
        return SENT

    wire = Wire(answer=pause)
    async with running(database, wire, max_sends=5, per_group=2) as one:
        await one.dispatcher.submit(*(message(f"m{n}", f"a{n % 4}") for n in range(60)))
        await until(lambda: one.count("settled_total", status="sent") == 60)
    assert max(wire.most.values()) == 2
    assert wire.most_in_all <= 5


async def test_a_dead_account_stops_nobody_and_its_breaker_costs_no_tries(database: Place) -> None:
    async def answer(claimed: ClaimedMessage) -> SendResult:
        if claimed.account_id == "dead":
            return SendResult(SendClass.UNAVAILABLE)
        return SENT

    wire = Wire(answer=answer)
    async with running(database, wire, breaker_failures=3, breaker_open_s=3600.0) as one:
        await one.dispatcher.submit(*(message(f"d{n}", "dead") for n in range(20)))
        await until(lambda: one.dispatcher.state().open_breakers == (Group("chat", "dead"),))
        await one.dispatcher.submit(*(message(f"m{n}", f"a{n % 9}") for n in range(45)))
        await until(lambda: one.count("settled_total", status="sent") == 45)
        tried = sum(each.account_id == "dead" for each in wire.sent)
        assert 3 <= tried <= 4  # one more may have been under way
        await asyncio.sleep(0.2)
        assert sum(each.account_id == "dead" for each in wire.sent) == tried
        assert await one.storage.outbox.failed() == []
        assert one.count("open_breakers_items") == 1


async def test_after_a_while_one_message_tries_the_account_out(database: Place) -> None:
    broken = True

    async def answer(claimed: ClaimedMessage) -> SendResult:
        await asyncio.sleep(0.01)
        return SendResult(SendClass.UNAVAILABLE) if broken else SENT

    wire = Wire(answer=answer)
    async with running(database, wire, breaker_failures=2, breaker_open_s=0.3, per_group=2) as one:
        await one.dispatcher.submit(*(message(f"m{n}") for n in range(8)))
        await until(lambda: one.dispatcher.state().open_breakers != ())
        await until(lambda: wire.now.total() == 0)
        tried = len(wire.sent)
        broken = False
        await until(lambda: len(wire.sent) > tried)
        assert wire.now.total() <= 1
        await until(lambda: one.count("settled_total", status="sent") == 8)
        assert one.dispatcher.state().open_breakers == ()


async def test_submitting_wakes_a_dispatcher_at_once(database: Place) -> None:
    wire = Wire()
    async with running(database, wire, poll_s=3600.0, upkeep_s=3600.0) as one:
        await until(lambda: one.count("claim_items_count") >= 1)
        await one.dispatcher.submit(message("m"))
        await until(lambda: one.count("settled_total", status="sent") == 1)


async def test_what_a_dead_sender_left_goes_out_again_under_the_same_key(database: Place) -> None:
    wire = Wire()
    async with running(database) as one:
        await one.dispatcher.submit(message("m", idempotency_key="k"))
        (held,) = await one.storage.outbox.claim("dead", limit=1, per_group=1, lease_s=0.1)
        async with running(database, wire) as other:
            await until(lambda: other.count("settled_total", status="sent") == 1)
    assert [(each.attempt, each.retries, each.idempotency_key) for each in wire.sent] == [(held.attempt + 1, 1, "k")]


@pytest.mark.parametrize("first", ["optimised", "rollback"])
async def test_what_one_path_queues_or_fails_the_other_sends(database: Place, first: str) -> None:
    async def fail(claimed: ClaimedMessage) -> SendResult:
        return SendResult(SendClass.UNAVAILABLE)

    wire = Wire(answer=fail)
    async with running(database.on(first), wire, breaker_failures=100) as one:
        await one.dispatcher.submit(
            message("failed", channel="patient"), message("later", channel="patient", delay_s=0.1)
        )
        await until(lambda: "failed" in wire.ids)
    second = Wire()
    async with running(database.on({"optimised": "rollback", "rollback": "optimised"}[first]), second) as two:
        await until(lambda: two.count("settled_total") == 2)
    assert sorted(second.ids) == ["failed", "later"]


class Unsettled:
    """Rows that take no outcome until told to."""

    def __init__(self, rows: OutboxRows) -> None:
        self.rows, self.open = rows, asyncio.Event()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.rows, name)

    async def settle(self, deliveries: Sequence[Delivery]) -> frozenset[str]:
        await self.open.wait()
        return await self.rows.settle(deliveries)


async def test_no_more_is_sent_than_a_killed_process_may_send_again(database: Place) -> None:
    wire, meters, switches = Wire(), Meters(), read_switches("optimised")
    async with database.open(meters) as opened:
        storage = cast(OpenStorage, opened)
        slow = Unsettled(storage.outbox)
        behind = replace(storage, outbox=cast(OutboxRows, slow))
        rules = replace(QUICK, max_sends=4, per_group=4)
        async with build_outbox(rules, switches, meters, behind, templates=TEMPLATES) as dispatcher:
            serving = asyncio.create_task(dispatcher.serve(wire.sender))
            await dispatcher.submit(*(message(f"m{n}", f"a{n % 5}") for n in range(50)))
            await until(lambda: len(wire.sent) >= 8)
            await asyncio.sleep(0.2)
            assert len(wire.sent) == 8
            slow.open.set()
            await until(lambda: sample(meters, "evenkeel_outbox_settled_total", status="sent") == 50)
        await serving


async def test_whoever_serves_hears_of_a_background_loop_that_died(database: Place) -> None:
    """An outbox must not stand still unseen."""

    class BrokenClock(SystemClock):
        broken = False

        def monotonic_s(self) -> float:
            if self.broken:
                raise ZeroDivisionError("a fault of ours")
            return super().monotonic_s()

    wire = Wire()
    asyncio.get_running_loop().set_exception_handler(lambda _loop, _context: None)
    async with database.open() as storage:
        built = build_outbox(QUICK, read_switches(), Meters(), storage, templates=TEMPLATES, clock=BrokenClock())
        with pytest.raises(ZeroDivisionError):  # noqa: PT012 closing raises it, too
            async with built as dispatcher:
                serving = asyncio.create_task(dispatcher.serve(wire.sender))
                await asyncio.sleep(0.05)
                BrokenClock.broken = True
                with pytest.raises(ZeroDivisionError):
                    await serving
                BrokenClock.broken = False
