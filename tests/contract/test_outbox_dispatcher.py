"""The dispatcher keeps its promises on both databases and both paths."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from evenkeel.hotpath.outbox import build_outbox, read_templates
from evenkeel.hotpath.ports.dispatcher import Dispatcher, DispatchRules, SendClass, SendResult
from evenkeel.hotpath.ports.outbox_rows import ClaimedMessage, Group, NewMessage
from evenkeel.hotpath.ports.storage import Storage
from evenkeel.hotpath.switches import read_switches
from evenkeel.kernel.errors import ConfigurationError, UsageError
from evenkeel.kernel.metrics import Meters
from tests.queues import sample, until
from tests.storages import Place

QUICK = DispatchRules(
    max_sends=16, per_group=2, lease_s=5.0, poll_s=0.05, upkeep_s=0.05, drain_s=5.0, rollback_poll_s=0.02
)
TEMPLATES = read_templates(
    """
    [default]
    base_s = 0.01
    factor = 1.0
    max_retries = 2
    timeout_s = 2.0
    [webhook]
    timeout_s = 2.0
    [slow]
    timeout_s = 0.05
    [patient]
    base_s = 0.1
    max_retries = 1000
    """
)
SENT = SendResult(SendClass.SENT)


def message(name: str, account: str = "a", channel: str = "chat", **more: Any) -> NewMessage:
    return NewMessage(name, channel, account, "user", "peer", b"{}", **more)


@dataclass
class Wire:
    """What was sent, in order, and how many at once."""

    sent: list[ClaimedMessage] = field(default_factory=list)
    now: Counter[Group] = field(default_factory=Counter)
    most: Counter[Group] = field(default_factory=Counter)
    most_in_all: int = 0
    answer: Callable[[ClaimedMessage], Awaitable[SendResult]] | None = None

    async def sender(self, claimed: ClaimedMessage) -> SendResult:
        self.sent.append(claimed)
        self.now[claimed.group] += 1
        self.most[claimed.group] = max(self.most[claimed.group], self.now[claimed.group])
        self.most_in_all = max(self.most_in_all, self.now.total())
        try:
            if self.answer:
                return await self.answer(claimed)
            await asyncio.sleep(0.001)
            return SENT
        finally:
            self.now[claimed.group] -= 1

    @property
    def ids(self) -> list[str]:
        return [each.outbox_id for each in self.sent]


@dataclass(frozen=True)
class Instance:
    storage: Storage
    dispatcher: Dispatcher
    meters: Meters

    def count(self, name: str, **labels: str) -> float:
        return sample(self.meters, f"evenkeel_outbox_{name}", **labels)


@asynccontextmanager
async def running(place: Place, wire: Wire | None = None, **rules: Any) -> AsyncIterator[Instance]:
    meters = Meters()
    async with place.open(meters) as storage:
        serving: asyncio.Task[None] | None = None
        settings = replace(QUICK, **rules)
        async with build_outbox(
            settings, read_switches(place.profile), meters, storage, templates=TEMPLATES
        ) as dispatcher:
            if wire is not None:
                serving = asyncio.create_task(dispatcher.serve(wire.sender))
            yield Instance(storage, dispatcher, meters)
        if serving is not None:
            await serving


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


# what the optimised path promises beyond the other


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
