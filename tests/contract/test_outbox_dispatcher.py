"""The dispatcher keeps its promises on both databases and both paths."""

from __future__ import annotations

import asyncio

import pytest

from evenkeel.hotpath.ports.dispatcher import SendClass, SendResult
from evenkeel.hotpath.ports.outbox_rows import ClaimedMessage
from evenkeel.kernel.errors import ConfigurationError, UsageError
from tests.outboxes import SENT, Wire, message, running
from tests.queues import until
from tests.storages import Place


async def test_everything_is_sent_once_with_its_key(place: Place) -> None:
    wire = Wire()
    async with running(place, wire) as one:
        rows = [message(f"m{n}", f"a{n % 5}", idempotency_key=f"key {n}") for n in range(40)]
        assert await one.dispatcher.submit(*rows) == 40
        assert await one.dispatcher.submit(rows[0], message("again", idempotency_key="key 1")) == 0
        await until(lambda: one.count("settled_total", status="sent", path=place.profile) == 40)
        assert one.count("tries_total", result="sent", path=place.profile) == 40
        assert one.count("age_seconds_count", path=place.profile) == 40
    assert sorted(wire.ids) == sorted(row.outbox_id for row in rows)
    assert {each.outbox_id: each.idempotency_key for each in wire.sent}["m7"] == "key 7"


async def test_failures_are_tried_again_and_end_as_dead_letters_that_can_be_replayed(place: Place) -> None:
    async def fail(claimed: ClaimedMessage) -> SendResult:
        return SendResult(SendClass.UNAVAILABLE, detail="HTTP 503")

    wire = Wire(answer=fail)
    async with running(place, wire, breaker_failures=100) as one:
        await one.dispatcher.submit(message("m", idempotency_key="k"))
        await until(lambda: one.count("settled_total", status="failed") == 1)
        assert [each.retries for each in wire.sent] == [0, 1, 2]
        await until(lambda: one.count("queue_items", state="failed", path=place.profile) == 1)
        (dead,) = await one.storage.outbox.failed()
        assert dead.last_error == "unavailable: HTTP 503"
        wire.answer = None
        assert await one.dispatcher.replay(["m", "unknown"]) == 1
        await until(lambda: one.count("settled_total", status="sent") == 1)
    assert {each.idempotency_key for each in wire.sent} == {"k"}
    assert wire.sent[-1].retries == 0


@pytest.mark.parametrize("kind", [SendClass.REJECTED, SendClass.FORBIDDEN_TARGET])
async def test_what_will_be_refused_again_is_not_tried_again(place: Place, kind: SendClass) -> None:
    async def refuse(claimed: ClaimedMessage) -> SendResult:
        return SendResult(kind)

    wire = Wire(answer=refuse)
    async with running(place, wire) as one:
        await one.dispatcher.submit(message("m"))
        await until(lambda: one.count("settled_total", status="failed") == 1)
    assert wire.ids == ["m"]


async def test_an_exception_and_a_sender_that_never_answers_are_failures_of_their_own(place: Place) -> None:
    async def odd(claimed: ClaimedMessage) -> SendResult:
        if claimed.channel == "slow":
            await asyncio.Event().wait()
        raise ValueError("broken sender")

    wire = Wire(answer=odd)
    async with running(place, wire, breaker_failures=100) as one:
        await one.dispatcher.submit(message("raises"), message("hangs", channel="slow"))
        await until(lambda: one.count("settled_total", status="failed") == 2)
        errors = {each.outbox_id: each.last_error for each in await one.storage.outbox.failed()}
    assert errors == {"raises": "unavailable: ValueError: broken sender", "hangs": "timeout: no answer within 0.05 s"}


async def test_a_provider_s_retry_after_is_kept(place: Place) -> None:
    async def throttle(claimed: ClaimedMessage) -> SendResult:
        return SendResult(SendClass.THROTTLED, retry_after_s=0.3) if claimed.retries == 0 else SENT

    wire = Wire(answer=throttle)
    async with running(place, wire) as one:
        await one.dispatcher.submit(message("m"))
        await until(lambda: one.count("settled_total", status="retry") == 1)
        due_in_s = (await one.storage.outbox.upkeep()).due_in_s
        assert due_in_s is not None
        assert due_in_s > 0.0
        await until(lambda: one.count("settled_total", status="sent") == 1)
    assert wire.ids == ["m", "m"]


async def test_closing_waits_for_what_is_under_way_and_sends_nothing_new(place: Place) -> None:
    go = asyncio.Event()

    async def wait(claimed: ClaimedMessage) -> SendResult:
        await go.wait()
        return SENT

    wire = Wire(answer=wait)
    async with place.open() as looking:
        async with running(place, wire, max_sends=1) as one:
            await one.dispatcher.submit(message("m0"), message("m1"))
            await until(lambda: wire.now.total() == 1)
            asyncio.get_running_loop().call_later(0.05, go.set)
        assert len(wire.ids) == 1
        left = await looking.outbox.claim("w", limit=10, per_group=10, lease_s=10)
        assert [each.retries for each in left] == [0]


async def test_a_dispatcher_has_one_sender_and_rules_that_hold(place: Place) -> None:
    wire = Wire()
    async with running(place, wire) as one:
        await asyncio.sleep(0)
        with pytest.raises(UsageError, match="already served"):
            await one.dispatcher.serve(wire.sender)
        for wrong in ({"lease_s": 1.0}, {"max_sends": 0}):
            with pytest.raises(ConfigurationError) as raised:
                async with running(place, None, **wrong):
                    pass
            assert raised.value.hint
