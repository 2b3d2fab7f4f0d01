"""Outbox rows: fair shares, one delivery per row, tries that count only when something was tried."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from evenkeel.hotpath.ports.errors import UnencodableError
from evenkeel.hotpath.ports.outbox_rows import ClaimedMessage, Delivery, Group, NewMessage, OutboxDepth, OutboxStatus
from evenkeel.hotpath.ports.storage import Storage
from tests.storages import Place


def message(name: str, account: str = "a", **more: object) -> NewMessage:
    return NewMessage(name, "chat", account, "user", "peer", b"text " + name.encode(), **more)  # type: ignore[arg-type]


async def claim(storage: Storage, limit: int = 100, per_group: int = 10, **more: object) -> list[ClaimedMessage]:
    return await storage.outbox.claim("w", limit=limit, per_group=per_group, lease_s=10, **more)  # type: ignore[arg-type]


def outcome(claimed: ClaimedMessage, status: OutboxStatus, **more: object) -> Delivery:
    return Delivery(claimed.outbox_id, claimed.attempt, status, **more)  # type: ignore[arg-type]


async def test_a_message_is_queued_once_by_id_and_by_key(place: Place) -> None:
    async with place.open() as storage:
        assert await storage.outbox.enqueue([message("1", idempotency_key="k"), message("2")]) == 2
        assert await storage.outbox.enqueue([message("1"), message("3", idempotency_key="k"), message("4")]) == 1
        got = await claim(storage)
        assert {each.outbox_id: each.idempotency_key for each in got} == {"1": "k", "2": "2", "4": "4"}
        assert got[0].payload == b"text 1"
        assert got[0].group == Group("chat", "a")


async def test_each_row_goes_to_one_claimer(place: Place) -> None:
    async with place.open() as storage, place.open() as other:
        await storage.outbox.enqueue([message(str(n), f"acc{n % 5}") for n in range(60)])
        sent: list[str] = []

        async def work(mine: Storage) -> None:
            while batch := await claim(mine, limit=8, per_group=3):
                sent.extend(each.outbox_id for each in batch)
                assert await mine.outbox.settle([outcome(each, OutboxStatus.SENT) for each in batch]) == frozenset()

        await asyncio.gather(work(storage), work(other), work(storage))
        while batch := await claim(storage):
            sent.extend(each.outbox_id for each in batch)
            await storage.outbox.settle([outcome(each, OutboxStatus.SENT) for each in batch])
        assert sorted(sent, key=int) == [str(n) for n in range(60)]


async def test_a_flooded_account_takes_its_share_and_no_more(place: Place) -> None:
    async with place.open() as storage:
        await storage.outbox.enqueue([message(f"flood{n}", "aaa") for n in range(200)])
        await storage.outbox.enqueue([message(f"{account}{n}", account) for account in ("m", "z") for n in range(3)])
        got = await claim(storage, limit=9, per_group=4)
        assert Counter(each.account_id for each in got) == {"aaa": 3, "m": 3, "z": 3}
        assert [e.outbox_id for e in got if e.account_id == "aaa"] == ["flood0", "flood1", "flood2"]


async def test_more_groups_than_places_all_get_their_turn(timed: Place) -> None:
    async with timed.open() as storage:
        for n in range(12):
            await storage.outbox.enqueue([message(f"{n}-{k}", f"acc{n:02}") for k in range(2)])
            timed.manual.advance(0.1)
        first = await claim(storage, limit=6, per_group=2)
        second = await claim(storage, limit=6, per_group=2)
        assert {each.account_id for each in first} == {f"acc{n:02}" for n in range(6)}
        assert len({each.account_id for each in second}) == 6


async def test_what_is_in_flight_lowers_the_share_and_a_full_group_gets_nothing(place: Place) -> None:
    async with place.open() as storage:
        await storage.outbox.enqueue([message(f"{account}{n}", account) for account in "ab" for n in range(5)])
        busy = [(Group("chat", "a"), 4), (Group("chat", "b"), 2), (Group("chat", "unknown"), 1)]
        got = await claim(storage, per_group=4, busy=busy)
        assert Counter(each.account_id for each in got) == {"b": 2}


async def test_channels_with_the_same_account_are_different_groups(place: Place) -> None:
    async with place.open() as storage:
        rows = [NewMessage(f"{c}{n}", c, "same", "user", "p", b"") for c in ("mail", "chat") for n in range(3)]
        await storage.outbox.enqueue(rows)
        got = await claim(storage, per_group=2)
        assert Counter(each.channel for each in got) == {"mail": 2, "chat": 2}


async def test_retries_wait_count_and_end_as_dead_letters(timed: Place) -> None:
    async with timed.open() as storage:
        await storage.outbox.enqueue([message("1", idempotency_key="k")])
        (first,) = await claim(storage)
        assert (
            await storage.outbox.settle([outcome(first, OutboxStatus.RETRY, error="503", retry_in_s=30)]) == frozenset()
        )
        assert await claim(storage) == []
        assert (await storage.outbox.upkeep()).due_in_s == pytest.approx(30)
        timed.manual.advance(31)
        (second,) = await claim(storage)
        assert (second.attempt, second.retries) == (2, 1)
        await storage.outbox.settle([outcome(second, OutboxStatus.FAILED, error="gone \0 for good")])
        (dead,) = await storage.outbox.failed()
        assert (dead.outbox_id, dead.status, dead.retries) == ("1", OutboxStatus.FAILED, 2)
        assert await storage.outbox.failed(group=Group("chat", "other")) == []
        assert len(await storage.outbox.failed(group=Group("chat", "a"))) == 1
        assert await storage.outbox.replay(["1", "unknown"]) == 1
        (third,) = await claim(storage)
        assert (third.attempt, third.retries, third.idempotency_key) == (3, 0, "k")


async def test_deferring_counts_no_try(timed: Place) -> None:
    async with timed.open() as storage:
        await storage.outbox.enqueue([message("1")])
        (got,) = await claim(storage)
        await storage.outbox.settle([outcome(got, OutboxStatus.PENDING, retry_in_s=5)])
        assert await claim(storage) == []
        timed.manual.advance(6)
        (again,) = await claim(storage)
        assert (again.attempt, again.retries) == (2, 0)


async def test_a_dead_sender_s_rows_come_back_and_its_late_answer_is_fenced(timed: Place) -> None:
    async with timed.open() as storage:
        await storage.outbox.enqueue([message("1", idempotency_key="k")])
        (old,) = await claim(storage)
        timed.manual.advance(5)
        assert await storage.outbox.heartbeat([("1", old.attempt)], 10) == frozenset()
        timed.manual.advance(8)
        assert (await storage.outbox.upkeep()).recovered == 0
        timed.manual.advance(8)
        assert (await storage.outbox.upkeep()).recovered == 1
        assert await storage.outbox.heartbeat([("1", old.attempt)], 10) == {"1"}
        (new,) = await claim(storage)
        assert (new.retries, new.idempotency_key) == (1, "k")
        assert await storage.outbox.settle([outcome(old, OutboxStatus.FAILED)]) == {"1"}
        assert await storage.outbox.settle([outcome(new, OutboxStatus.SENT)]) == frozenset()
        assert await storage.outbox.settle([outcome(new, OutboxStatus.SENT)]) == frozenset()
        assert await storage.outbox.settle([outcome(new, OutboxStatus.FAILED)]) == {"1"}
        assert await claim(storage) == []


async def test_a_delayed_message_waits(timed: Place) -> None:
    async with timed.open() as storage:
        await storage.outbox.enqueue([message("later", delay_s=10)])
        assert await claim(storage) == []
        timed.manual.advance(11)
        assert [each.outbox_id for each in await claim(storage)] == ["later"]


async def test_depth_counts_each_state_and_looks_at_a_bounded_part(timed: Place) -> None:
    async with timed.open() as storage:
        assert await storage.outbox.depth() == OutboxDepth(0, 0, 0, 0.0)
        await storage.outbox.enqueue([message(str(n)) for n in range(20)])
        timed.manual.advance(7)
        first, second, third = await claim(storage, limit=3)
        await storage.outbox.settle([outcome(first, OutboxStatus.FAILED), outcome(second, OutboxStatus.SENT)])
        depth = await storage.outbox.depth()
        assert (depth.waiting, depth.sending, depth.failed) == (17, 1, 1)
        assert depth.oldest_s == pytest.approx(7)
        assert (await storage.outbox.depth(bound=10)).waiting == 10
        assert third.outbox_id


async def test_sent_rows_go_by_age_and_no_others(timed: Place) -> None:
    async with timed.open() as storage:
        await storage.outbox.enqueue([message("sent"), message("waiting", "b")])
        got = [each for each in await claim(storage) if each.outbox_id == "sent"]
        await storage.outbox.settle([outcome(each, OutboxStatus.SENT) for each in got])
        timed.manual.advance(100)
        assert await storage.outbox.prune(200) == 0
        assert await storage.outbox.prune(50) == 1
        assert (await storage.outbox.upkeep()).recovered == 1


async def test_the_rollback_way_reads_without_claiming(timed: Place) -> None:
    async with timed.open() as storage:
        await storage.outbox.enqueue([message("1"), message("2", "b"), message("3", delay_s=60)])
        first = await storage.unclaimed_outbox.due()
        assert [each.outbox_id for each in first] == ["1", "2"]
        assert [each.outbox_id for each in await storage.unclaimed_outbox.due()] == ["1", "2"]
        await storage.outbox.settle([outcome(first[0], OutboxStatus.SENT)])
        assert [each.outbox_id for each in await storage.unclaimed_outbox.due()] == ["2"]
        (claimed,) = await claim(storage)
        assert claimed.outbox_id == "2"
        assert await storage.unclaimed_outbox.due() == []


async def test_text_that_no_column_can_keep_is_refused(place: Place) -> None:
    async with place.open() as storage:
        with pytest.raises(UnencodableError):
            await storage.outbox.enqueue([message("1"), message("2", account="\0")])
        assert await claim(storage) == []
