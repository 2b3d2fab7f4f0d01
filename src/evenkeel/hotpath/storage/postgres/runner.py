"""What runs an operation on a PostgreSQL connection: one port, two paths."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar

import asyncpg

from evenkeel.hotpath.storage.metering import StorageMeter
from evenkeel.hotpath.storage.postgres.connections import Connection, translated

T = TypeVar("T")
Operation = Callable[[Connection], Awaitable[T]]
TRIES = 4
_RETRIED = (asyncpg.DeadlockDetectedError, asyncpg.SerializationError)


class Runner(Protocol):
    """Runs whole units of work. An operation opens its own transaction if it has more than one statement."""

    async def run(self, operation: Operation[T]) -> T:
        """On a connection of its own; stored when this returns."""
        ...

    async def aclose(self) -> None:
        """Finish what was accepted; repeatable."""
        ...


@dataclass(frozen=True, slots=True)
class Metered:
    """A runner, measured from outside."""

    runner: Runner
    meter: StorageMeter

    async def run(self, name: str, operation: Operation[T]) -> T:
        """`Runner.run`, under the call's name."""
        with self.meter.call(name):
            return await self.runner.run(operation)


async def run_on(connection: Connection, operation: Operation[T], meter: StorageMeter) -> T:
    """Run with typed errors; a transaction that lost a deadlock was rolled back whole, so it runs again."""
    with translated():
        for attempt in range(1, TRIES):
            try:
                return await operation(connection)
            except _RETRIED as error:
                meter.ran_again(type(error).__name__)
                await asyncio.sleep(0.002 * attempt)
        return await operation(connection)
