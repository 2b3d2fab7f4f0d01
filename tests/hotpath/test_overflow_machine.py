"""The bounded write queue as a state machine: every record has one fate, and the caller was told which."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from evenkeel.hotpath.ports.errors import QueueFullError
from evenkeel.hotpath.ports.write_queue import Overflow, Priority, Put, QueueRules, WriteQueue
from evenkeel.hotpath.switches import read_switches
from evenkeel.hotpath.writes import build_write_queue
from evenkeel.kernel.metrics import Meters

Record = tuple[int, Priority]


class OverflowMachine(RuleBasedStateMachine):
    """Records of all priorities against a sink that opens and closes."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.Runner()
        self.open = AsyncExitStack()
        self.stored: list[Record] = []
        self.taken: list[Record] = []
        self.displaced = self.refused = self.number = 0

    @initialize(overflow=st.sampled_from(Overflow), capacity=st.integers(3, 8))
    def start(self, overflow: Overflow, capacity: int) -> None:
        self.queue_rules = QueueRules(
            "machine", self._sink, capacity, 2, batch_rows=3, batch_s=60.0, overflow=overflow, timeout_s=0.001
        )
        self.queue = self.loop.run(self._enter())

    async def _enter(self) -> WriteQueue[Record]:
        self.gate = asyncio.Event()
        switches = read_switches("optimised")
        return await self.open.enter_async_context(build_write_queue(self.queue_rules, switches, Meters()))

    async def _sink(self, records: Sequence[Record]) -> None:
        await self.gate.wait()
        self.stored += records

    @rule(priority=st.sampled_from(Priority), count=st.integers(1, 4))
    def put(self, priority: Priority, count: int) -> None:
        self.loop.run(self._put(priority, count))

    async def _put(self, priority: Priority, count: int) -> None:
        for _ in range(count):
            self.number += 1
            record = (self.number, priority)
            try:
                put = await self.queue.put(record, priority)
            except QueueFullError:
                assert priority is Priority.CRITICAL
                continue
            if put is Put.DROPPED:
                assert priority is not Priority.CRITICAL
                self.refused += 1
            else:
                self.taken.append(record)
                self.displaced += put is Put.DISPLACED

    @rule()
    def let_some_through(self) -> None:
        async def open_for_a_moment() -> None:
            self.gate.set()
            await asyncio.sleep(0.002)
            self.gate.clear()

        self.loop.run(open_for_a_moment())

    @rule()
    def flush(self) -> None:
        async def flush() -> None:
            self.gate.set()
            await self.queue.flush()
            self.gate.clear()

        self.loop.run(flush())
        assert sum(self.queue.level().waiting.values()) == 0
        assert len(self.stored) == len(self.taken) - self.displaced

    @invariant()
    def every_record_has_one_fate(self) -> None:
        if not hasattr(self, "queue"):
            return
        level = self.queue.level()
        assert sum(level.waiting.values()) <= self.queue_rules.capacity
        assert level.dropped == self.refused + self.displaced
        assert len(self.stored) + sum(level.waiting.values()) == len(self.taken) - self.displaced
        assert len(set(self.stored)) == len(self.stored)
        critical = [record for record in self.taken if record[1] is Priority.CRITICAL]
        stored = [record for record in self.stored if record[1] is Priority.CRITICAL]
        assert stored == critical[: len(stored)]  # none is missing between those that came out
        for priority in Priority:
            numbers = [number for number, of in self.stored if of is priority]
            assert numbers == sorted(numbers)

    def teardown(self) -> None:
        if hasattr(self, "queue"):
            self.flush()
            critical = {record for record in self.taken if record[1] is Priority.CRITICAL}
            assert critical <= set(self.stored)
        self.loop.run(self.open.aclose())
        self.loop.close()


OverflowMachine.TestCase.settings = settings(
    max_examples=60, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck), database=None
)
TestOverflow = OverflowMachine.TestCase
