"""A clock that jumps: at worst something waits or is tried again; nothing is accepted twice, and nothing is lost."""

from __future__ import annotations

import time

import pytest

from evenkeel.hotpath.limiter import LimiterRules, build_limiter
from evenkeel.hotpath.passwords.limits import Limits
from evenkeel.hotpath.ports.agent_tasks import Completion, Held, NewTask, TaskStatus
from evenkeel.hotpath.ports.errors import TooManyAttemptsError
from evenkeel.hotpath.ports.leases import LeaseRequest
from evenkeel.hotpath.ports.limiter import Admission
from evenkeel.hotpath.ports.outbox_rows import Delivery, NewMessage, OutboxStatus
from evenkeel.hotpath.ports.passwords import Attempt, HashRules
from evenkeel.hotpath.ports.stream_events import Cursor, EventBatch
from evenkeel.hotpath.switches import read_switches
from evenkeel.kernel.clock import ManualClock
from evenkeel.kernel.metrics import Meters
from tests.queues import sample
from tests.storages import Place

HOUR_S = 3_600.0


async def test_an_hour_forward_takes_leases_away_and_the_fence_keeps_the_late_ones_out(timed: Place) -> None:
    meters = Meters()
    async with timed.open(meters) as storage:
        await storage.tasks.enqueue([NewTask("t", b"", session_id="s", max_attempts=5)])
        (old,) = await storage.tasks.claim("old", 1, 10)
        lease = await storage.leases.acquire(LeaseRequest("s", "old", "u"))
        assert lease is not None
        timed.manual.jump(timed.manual.wall_s() + HOUR_S)
        assert (await storage.tasks.upkeep()).recovered == 1
        (new,) = await storage.tasks.claim("new", 1, 10)
        taken = await storage.leases.acquire(LeaseRequest("s", "new", "u"))
        assert taken is not None
        assert taken.epoch > lease.epoch
        settled = await storage.tasks.complete([Completion("t", old.attempt, TaskStatus.SUCCESS)])
        assert (set(settled.accepted), set(settled.fenced)) == (set(), {"t"})
        assert await storage.leases.renew([lease], 10) == {"s"}
        assert (await storage.tasks.complete([Completion("t", new.attempt, TaskStatus.SUCCESS)])).accepted == {"t"}
        assert sample(meters, "evenkeel_storage_fenced_total") == 2


async def test_an_hour_back_keeps_what_is_held_and_lets_new_work_through(timed: Place) -> None:
    async with timed.open() as storage:
        await storage.tasks.enqueue([NewTask("t", b""), NewTask("u", b"")])
        (held,) = await storage.tasks.claim("w", 1, 10)
        timed.manual.jump(timed.manual.wall_s() - HOUR_S)
        assert (await storage.tasks.upkeep()).recovered == 0
        assert not (await storage.tasks.heartbeat([Held(held.task_id, held.attempt)], 10)).lost
        assert [each.task_id for each in await storage.tasks.claim("w", 5, 10)] == ["u"]
        await storage.tasks.enqueue([NewTask("v", b"")])
        assert [each.task_id for each in await storage.tasks.claim("w", 5, 10)] == ["v"]
        timed.manual.advance(11)  # heartbeats count from the new time: a worker that dies is missed as soon as ever
        assert (await storage.tasks.upkeep()).recovered == 3


@pytest.mark.parametrize("jump_s", [HOUR_S, -HOUR_S])
async def test_events_keep_their_order_and_what_was_said(timed: Place, jump_s: float) -> None:
    async with timed.open() as storage:
        for turn in range(2):
            head = await storage.events.open("s", "u")
            ids = [head.next_id, head.next_id + 1]
            batch = EventBatch("s", "u", head.term, ids, [b"x", b"y"], ids[-1], closing=True)
            assert (await storage.events.append([batch])).stored == 2
            if not turn:
                timed.manual.jump(timed.manual.wall_s() + jump_s)
        page = await storage.events.read(Cursor("s", 0))
        assert [event.event_id for event in page.events] == [1, 2, 3, 4]
        assert await storage.events.prune(2 * HOUR_S) == 0


@pytest.mark.parametrize("jump_s", [HOUR_S, -HOUR_S])
async def test_a_message_goes_out_and_is_settled_once(timed: Place, jump_s: float) -> None:
    async with timed.open() as storage:
        await storage.outbox.enqueue([NewMessage("m", "chat", "a", "user", "p", b"")])
        (first,) = await storage.outbox.claim("w", limit=1, per_group=1, lease_s=10)
        timed.manual.jump(timed.manual.wall_s() + jump_s)
        recovered = (await storage.outbox.upkeep()).recovered
        assert recovered == (1 if jump_s > 0 else 0)
        again = await storage.outbox.claim("w", limit=1, per_group=1, lease_s=10)
        assert len(again) == recovered
        outcomes = [Delivery("m", each.attempt, OutboxStatus.SENT) for each in (first, *again)]
        fenced = [await storage.outbox.settle([outcome]) for outcome in outcomes]
        assert [len(each) for each in fenced] == [1, 0][-len(outcomes) :]


async def test_this_process_s_clock_is_not_asked(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a clock of its own an instance whose wall clock jumps neither steals nor loses a lease or a task."""
    switches = read_switches(place.profile)
    async with (
        place.open() as storage,
        build_limiter(LimiterRules(), switches, Meters(), storage=storage) as limiter,
    ):
        grant = await limiter.admit(Admission("s", "u", "run"))
        await storage.tasks.enqueue([NewTask("t", b"")])
        await storage.tasks.claim("w", 1, 30)
        real = time.time
        for jump_s in (HOUR_S, -HOUR_S):
            monkeypatch.setattr(time, "time", lambda jump_s=jump_s: real() + jump_s)
            assert await storage.leases.acquire(LeaseRequest("s", "thief", "u")) is None
            assert await storage.leases.renew([grant.lease], 30) == frozenset()
            assert (await storage.tasks.upkeep()).recovered == 0
            assert not grant.lost
        await grant.release()


def test_limits_on_logins_count_time_that_only_goes_forward() -> None:
    clock = ManualClock()
    limits = Limits(HashRules(per_account=1), clock)
    limits.count(Attempt("192.0.2.1", "ann"))
    clock.jump(clock.wall_s() + HOUR_S)
    with pytest.raises(TooManyAttemptsError):
        limits.count(Attempt("192.0.2.1", "ann"))
