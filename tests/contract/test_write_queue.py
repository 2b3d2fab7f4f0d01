"""The bounded write queue: a named answer to full, and nothing critical dropped in silence. No database is needed."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import pytest
from prometheus_client import CollectorRegistry

from evenkeel.hotpath.ports.errors import QueueFullError, StorageUnavailableError
from evenkeel.hotpath.ports.write_queue import Overflow, Priority, Put, QueueRules
from evenkeel.hotpath.switches import read_switches
from evenkeel.hotpath.writes import build_write_queue
from evenkeel.kernel.errors import ConfigurationError, UsageError
from evenkeel.kernel.metrics import Meters

OPTIMISED, ROLLBACK = read_switches("optimised"), read_switches("rollback")
BOTH = pytest.mark.parametrize("profile", ["optimised", "rollback"])


@dataclass
class Sink:
    """Takes records when it is open; keeps them in order, and who called."""

    stored: list[str] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    callers: set[str] = field(default_factory=set)
    opened: asyncio.Event = field(default_factory=asyncio.Event)
    failures: list[Exception] = field(default_factory=list)

    async def __call__(self, records: Sequence[str]) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.callers.add(task.get_name())
        await self.opened.wait()
        if self.failures:
            raise self.failures.pop()
        self.stored += records
        self.sizes.append(len(records))

    def rules(self, **changes: object) -> QueueRules[str]:
        small = QueueRules("test", self, capacity=6, reserved=2, batch_rows=3, batch_s=0.001, timeout_s=0.05)
        return replace(small, **changes)  # type: ignore[arg-type]


@BOTH
async def test_records_are_stored_in_order_and_flush_waits_for_them(profile: str) -> None:
    sink = Sink()
    sink.opened.set()
    async with build_write_queue(sink.rules(), read_switches(profile), Meters()) as queue:
        for number in range(40):
            assert await queue.put(str(number)) in {Put.QUEUED, Put.DISPLACED}
            await queue.flush()
        assert sink.stored == [str(number) for number in range(40)]
        assert sum(queue.level().waiting.values()) == 0


@BOTH
async def test_closing_writes_what_waits_and_takes_nothing_more(profile: str) -> None:
    sink = Sink()
    sink.opened.set()
    async with build_write_queue(sink.rules(batch_s=60.0), read_switches(profile), Meters()) as queue:
        await queue.put("a")
        await queue.put("b")
    assert sink.stored == ["a", "b"]
    with pytest.raises(UsageError):
        await queue.put("c")


@BOTH
async def test_a_sink_that_is_away_is_tried_again(profile: str) -> None:
    sink = Sink(failures=[StorageUnavailableError("away"), StorageUnavailableError("away")])
    sink.opened.set()
    async with build_write_queue(sink.rules(), read_switches(profile), Meters()) as queue:
        await queue.put("a")
        await queue.flush()
    assert sink.stored == ["a"]


@BOTH
async def test_what_the_sink_refuses_for_ever_is_given_up_and_counted(profile: str) -> None:
    sink = Sink(failures=[ValueError("never")])
    sink.opened.set()
    told: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
    async with build_write_queue(sink.rules(), read_switches(profile), Meters()) as queue:
        await queue.put("bad")
        await queue.flush()
        await queue.put("good")
        await queue.flush()
        assert queue.level().dropped == 1
    assert sink.stored == ["good"]
    assert len(told) == 1


async def test_batches_leave_by_size() -> None:
    sink = Sink()
    async with build_write_queue(sink.rules(batch_s=60.0, capacity=20), OPTIMISED, Meters()) as queue:
        for number in range(9):
            await queue.put(str(number))
        sink.opened.set()
        await queue.flush()
    assert sink.sizes == [3, 3, 3]


def filled(sink: Sink, overflow: Overflow) -> QueueRules[str]:
    return sink.rules(overflow=overflow, batch_s=60.0, batch_rows=100)


async def test_drop_latest_refuses_the_new_one() -> None:
    sink = Sink()
    async with build_write_queue(filled(sink, Overflow.DROP_LATEST), OPTIMISED, Meters()) as queue:
        assert [await queue.put(str(number)) for number in range(5)] == [Put.QUEUED] * 4 + [Put.DROPPED]
        sink.opened.set()
    assert sink.stored == ["0", "1", "2", "3"]


async def test_drop_oldest_drops_of_the_lowest_priority_first() -> None:
    sink = Sink()
    async with build_write_queue(filled(sink, Overflow.DROP_OLDEST), OPTIMISED, Meters()) as queue:
        for record, priority in (("n0", 1), ("l0", 2), ("n1", 1), ("l1", 2)):
            assert await queue.put(record, Priority(priority)) is Put.QUEUED
        assert await queue.put("n2") is Put.DISPLACED  # l0 goes
        assert await queue.put("n3") is Put.DISPLACED  # l1 goes
        assert await queue.put("l2", Priority.LOW) is Put.DROPPED  # nothing of its rank or below
        assert await queue.put("n4") is Put.DISPLACED  # n0 goes
        assert queue.level().dropped == 4
        sink.opened.set()
    assert sink.stored == ["n1", "n2", "n3", "n4"]


async def test_blocking_waits_and_then_refuses() -> None:
    sink = Sink()
    rules = replace(filled(sink, Overflow.BLOCK_WITH_TIMEOUT), batch_rows=2, batch_s=0.001)
    async with build_write_queue(rules, OPTIMISED, Meters()) as queue:
        for number in range(4):
            assert await queue.put(str(number)) is Put.QUEUED
        assert await queue.put("late") is Put.DROPPED
        waiting = [asyncio.create_task(queue.put(f"patient{number}")) for number in range(2)]
        await asyncio.sleep(0)
        sink.opened.set()
        assert await asyncio.gather(*waiting) == [Put.QUEUED, Put.QUEUED]
    assert sink.stored == ["0", "1", "2", "3", "patient0", "patient1"]


@pytest.mark.parametrize("overflow", list(Overflow))
async def test_critical_records_go_first_and_are_never_dropped_in_silence(overflow: Overflow) -> None:
    sink = Sink()
    async with build_write_queue(filled(sink, overflow), OPTIMISED, Meters()) as queue:
        for number in range(4):
            await queue.put(f"n{number}")
        taken = [f"c{number}" for number in range(6)]
        for name in taken[:2]:
            assert await queue.put(name, Priority.CRITICAL) is Put.QUEUED
        if overflow is Overflow.DROP_OLDEST:
            for name in taken[2:]:
                assert await queue.put(name, Priority.CRITICAL) is Put.DISPLACED
        with pytest.raises(QueueFullError) as raised:
            await queue.put("c6", Priority.CRITICAL)
        assert raised.value.hint
        sink.opened.set()
    critical = [name for name in sink.stored if name.startswith("c")]
    assert sink.stored[: len(critical)] == critical == taken[: len(critical)]
    assert len(critical) == (6 if overflow is Overflow.DROP_OLDEST else 2)


async def test_the_caller_never_writes_on_the_optimised_path_and_does_on_the_other() -> None:
    for switches, inline in ((OPTIMISED, False), (ROLLBACK, True)):
        sink = Sink()
        sink.opened.set()
        async with build_write_queue(sink.rules(batch_s=60.0), switches, Meters()) as queue:
            mine = asyncio.current_task()
            assert mine is not None
            for number in range(50):  # without a pause: the line fills
                await queue.put(str(number))
        assert (mine.get_name() in sink.callers) is inline


async def test_the_water_level_is_shown_and_alerts_with_a_margin() -> None:
    sink = Sink()
    registry = CollectorRegistry()
    rules = sink.rules(capacity=10, reserved=0, batch_s=60.0, batch_rows=100, high_water=0.8, low_water=0.3)
    labels = {"path": "optimised", "queue": "test"}
    async with build_write_queue(rules, OPTIMISED, Meters(registry)) as queue:
        for number in range(8):
            await queue.put(str(number))
        assert not queue.level().alert
        await queue.put("8")
        assert queue.level().alert
        assert registry.get_sample_value("evenkeel_writes_queue_alert_info", labels) == 1
        assert registry.get_sample_value("evenkeel_writes_queue_level_ratio", labels) == 0.9
        sink.opened.set()
        await queue.flush()
        assert not queue.level().alert
        assert registry.get_sample_value("evenkeel_writes_queue_level_ratio", labels) == 0


async def test_rules_that_leave_no_room_are_refused() -> None:
    with pytest.raises(ConfigurationError) as raised:
        async with build_write_queue(Sink().rules(capacity=2, reserved=2), OPTIMISED, Meters()):
            pass
    assert raised.value.hint
