"""A lane: threads that own a connection each and take units of work in batches from one bounded queue.

Results travel back to each event loop in one wake-up per batch, not one per unit.
"""

from __future__ import annotations

import asyncio
import queue
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import apsw

from evenkeel.hotpath.ports.errors import StorageUnavailableError
from evenkeel.hotpath.storage.gates import Gate
from evenkeel.hotpath.storage.metering import StorageMeter
from evenkeel.hotpath.storage.sqlite.connections import translated
from evenkeel.kernel.errors import UsageError

T = TypeVar("T")
Operation = Callable[[apsw.Connection], T]


@dataclass(frozen=True, slots=True)
class Unit:
    """One operation, and where its result goes."""

    operation: Operation[Any]
    result: asyncio.Future[Any]
    submitted_s: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a unit."""

    unit: Unit
    value: Any = None
    error: BaseException | None = None


RunBatch = Callable[[apsw.Connection, Sequence[Unit]], list[Outcome]]


@dataclass(frozen=True, slots=True)
class LaneRules:
    """`threads` threads, `batch` units at most per turn; at most `bound` units wait, each for `wait_s` to get in."""

    name: str
    threads: int
    batch: int
    bound: int
    wait_s: float


class Lane:
    """Open with `start`, close with `stop`. Units may come from any event loop of the process."""

    def __init__(
        self, rules: LaneRules, connect: Callable[[], apsw.Connection], run: RunBatch, meter: StorageMeter
    ) -> None:
        self._rules = rules
        self._connect = connect
        self._run = run
        self._meter = meter
        self._gate = Gate(f"the {rules.name} queue", rules.bound, rules.wait_s)
        self._queue: queue.SimpleQueue[Unit | None] = queue.SimpleQueue()  # bounded by the gate
        self._threads: list[threading.Thread] = []
        self._closed = False

    def start(self) -> None:
        """Start the threads; each opens its connection itself. Raises what opening a connection raises."""
        connections = [self._connect() for _ in range(self._rules.threads)]
        for number, connection in enumerate(connections):
            name = f"evenkeel-{self._rules.name}-{number}"
            thread = threading.Thread(target=self._work, args=(connection,), name=name, daemon=True)
            self._threads.append(thread)
            thread.start()
        self._meter.available(self._rules.threads)

    async def submit(self, operation: Operation[T]) -> T:
        """Run the operation in the lane. A caller that is cancelled before its turn takes its operation with it."""
        if self._closed:
            raise UsageError("The storage is closed.", hint="Stop its users before the storage.")
        await self._gate.enter()
        result: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._queue.put(Unit(operation, result, time.perf_counter()))
        return await result

    async def stop(self, within_s: float) -> None:
        """Take nothing new, finish what was accepted. Raises `StorageUnavailableError` if that takes too long."""
        if self._closed:
            return
        self._closed = True
        self._meter.available(-len(self._threads))
        for _ in self._threads:
            self._queue.put(None)
        deadline = time.perf_counter() + within_s
        while any(thread.is_alive() for thread in self._threads):
            if time.perf_counter() > deadline:
                raise StorageUnavailableError(f"{self._gate.inside} accepted calls were not finished in {within_s:g} s")
            await asyncio.sleep(0.002)

    def _work(self, connection: apsw.Connection) -> None:
        while batch := self._next_batch():
            started = time.perf_counter()
            for unit in batch:
                self._meter.waited(started - unit.submitted_s)
            with self._meter.working():
                outcomes = self._outcomes(connection, batch)
            self._deliver(outcomes)
            self._gate.leave(len(batch))
        connection.close()

    def _outcomes(self, connection: apsw.Connection, batch: Sequence[Unit]) -> list[Outcome]:
        """Whatever goes wrong is an outcome: a thread that died would leave its callers waiting for ever."""
        try:
            return self._run(connection, batch)
        except Exception as error:
            return [Outcome(unit, error=meaning_of(error)) for unit in batch]

    def _next_batch(self) -> list[Unit]:
        """At least one unit and whatever else waits already; empty = stop."""
        first = self._queue.get()
        batch = [first] if first is not None else []
        while batch and len(batch) < self._rules.batch:
            try:
                unit = self._queue.get_nowait()
            except queue.Empty:
                break
            if unit is None:
                self._queue.put(None)  # the next turn sees it again
                break
            batch.append(unit)
        return batch

    @staticmethod
    def _deliver(outcomes: Sequence[Outcome]) -> None:
        by_loop: dict[asyncio.AbstractEventLoop, list[Outcome]] = {}
        for outcome in outcomes:
            by_loop.setdefault(outcome.unit.result.get_loop(), []).append(outcome)
        for loop, mine in by_loop.items():
            try:
                loop.call_soon_threadsafe(_hand_over, mine)
            except RuntimeError:  # the loop is closed: nobody waits there any more
                continue


def _hand_over(outcomes: Sequence[Outcome]) -> None:
    for outcome in outcomes:
        if outcome.unit.result.done():
            continue  # its caller was cancelled
        if outcome.error is None:
            outcome.unit.result.set_result(outcome.value)
        else:
            outcome.unit.result.set_exception(outcome.error)


def attempt(connection: apsw.Connection, unit: Unit) -> Outcome:
    """Run one unit inside whatever transaction is open; an error is an outcome, typed."""
    try:
        return Outcome(unit, unit.operation(connection))
    except Exception as error:
        return Outcome(unit, error=meaning_of(error))


def meaning_of(error: Exception) -> Exception:
    """The typed error for what a driver raised; anything else as it is."""
    try:
        with translated():
            raise error
    except Exception as meaning:
        return meaning
