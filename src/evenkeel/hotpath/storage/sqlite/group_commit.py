"""Optimised path: one writer thread takes whatever units of work wait and commits them together.

While one batch is being committed (0.5 to 5 ms on a real disk) the next one gathers by itself, so batches grow with the
load and nobody waits for a timer. Readers have threads and connections of their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import apsw

from evenkeel.hotpath.storage.metering import StorageMeter
from evenkeel.hotpath.storage.settings import StorageSettings
from evenkeel.hotpath.storage.sqlite.connections import Opener, typed
from evenkeel.hotpath.storage.sqlite.lanes import Lane, LaneRules, Outcome, Unit, attempt
from evenkeel.hotpath.storage.sqlite.runner import Operation

T = TypeVar("T")
READ_BATCH = 8
"""Results of a batch travel back together, so one long read delays few others."""


@dataclass(frozen=True, slots=True)
class GroupCommit:
    """A lane of one writer and a lane of readers."""

    writers: Lane
    readers: Lane
    close_s: float

    async def write(self, operation: Operation[T]) -> T:
        """In the next commit."""
        return await self.writers.submit(operation)

    async def read(self, operation: Operation[T]) -> T:
        """On the next free reader."""
        return await self.readers.submit(operation)

    async def aclose(self) -> None:
        """Readers first: they cannot wait for the writer."""
        await self.readers.stop(self.close_s)
        await self.writers.stop(self.close_s)


def build_group_commit(opener: Opener, settings: StorageSettings, meter: StorageMeter) -> GroupCommit:
    """Open the connections and start the threads. Raises what opening raises."""

    def commit(connection: apsw.Connection, units: Sequence[Unit]) -> list[Outcome]:
        meter.batch(len(units))
        return commit_together(connection, units)

    bound, wait_s = settings.queue_bound, settings.queue_wait_s
    writers = Lane(LaneRules("writer", 1, settings.commit_batch, bound, wait_s), opener.writer, commit, meter)
    readers = Lane(LaneRules("reader", settings.readers, READ_BATCH, bound, wait_s), opener.reader, read_each, meter)
    writers.start()  # first: it creates the file's WAL, which a reader cannot
    readers.start()
    return GroupCommit(writers, readers, settings.close_s)


def commit_together(connection: apsw.Connection, units: Sequence[Unit]) -> list[Outcome]:
    """One transaction for all. If any unit fails, nothing is stored and each is run again in a transaction of its
    own.
    """
    wanted = [unit for unit in units if not unit.result.cancelled()]
    outcomes = _in_transaction(connection, wanted)
    if len(wanted) > 1 and any(outcome.error for outcome in outcomes):
        return [outcome for unit in wanted for outcome in _in_transaction(connection, [unit])]
    return outcomes


def _in_transaction(connection: apsw.Connection, units: Sequence[Unit]) -> list[Outcome]:
    if not units:
        return []
    outcomes: list[Outcome] = []
    try:
        connection.execute("BEGIN IMMEDIATE")
        for unit in units:
            outcomes.append(attempt(connection, unit))
            if outcomes[-1].error:
                break
        if not outcomes[-1].error:
            connection.execute("COMMIT")
    except apsw.Error as error:
        _roll_back(connection)
        return [Outcome(unit, error=typed(error)) for unit in units]
    _roll_back(connection)
    return outcomes


def _roll_back(connection: apsw.Connection) -> None:
    """What is still open: nothing after a commit, nor after an error that rolls back by itself (a full disk)."""
    if connection.in_transaction:
        connection.execute("ROLLBACK")


def read_each(connection: apsw.Connection, units: Sequence[Unit]) -> list[Outcome]:
    """Each in a snapshot of its own: a later unit may count on what was acknowledged after the first one began."""
    outcomes = []
    for unit in units:
        if unit.result.cancelled():
            continue
        connection.execute("BEGIN")
        outcomes.append(attempt(connection, unit))
        _roll_back(connection)
    return outcomes
