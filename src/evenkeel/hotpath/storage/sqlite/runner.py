"""What runs an operation on a SQLite connection: one port, two paths."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar

import apsw

from evenkeel.hotpath.storage.metering import StorageMeter

T = TypeVar("T")
Operation = Callable[[apsw.Connection], T]


class Runner(Protocol):
    """Runs whole units of work. An operation is one transaction: it raises, and nothing of it is stored."""

    async def write(self, operation: Operation[T]) -> T:
        """In a transaction that holds the write lock; stored when this returns."""
        ...

    async def read(self, operation: Operation[T]) -> T:
        """In one snapshot, which holds everything that was acknowledged before the call."""
        ...

    async def aclose(self) -> None:
        """Finish what was accepted; repeatable."""
        ...


@dataclass(frozen=True, slots=True)
class Metered:
    """A runner, measured from outside."""

    runner: Runner
    meter: StorageMeter

    async def write(self, name: str, operation: Operation[T]) -> T:
        """`Runner.write`, under the call's name."""
        with self.meter.call(name):
            return await self.runner.write(operation)

    async def read(self, name: str, operation: Operation[T]) -> T:
        """`Runner.read`, under the call's name."""
        with self.meter.call(name):
            return await self.runner.read(operation)
