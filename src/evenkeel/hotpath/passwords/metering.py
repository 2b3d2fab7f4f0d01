"""Limits and figures around both paths."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from prometheus_client import Counter, Gauge, Histogram

from evenkeel.hotpath.passwords.limits import Limits
from evenkeel.hotpath.ports.errors import TooManyAttemptsError
from evenkeel.hotpath.ports.passwords import Attempt, Verdict
from evenkeel.kernel.metrics import Meters


@dataclass(frozen=True, slots=True)
class HashMeter:
    """The metrics of one hasher, all of one `path`."""

    path: str
    calls: Histogram
    waits: Histogram
    refusals: Counter
    checks: Counter
    queue: Gauge
    threads: Gauge

    def refused(self, why: str) -> None:
        """Turned away before hashing: `limit`, `full`, `breaker`, or `waited` too long."""
        self.refusals.labels(self.path, why).inc()

    def waiting(self, count: int) -> None:
        """How many wait for a thread."""
        self.queue.labels(self.path).set(count)

    def hashing(self, more: int) -> None:
        """A thread has begun (1) or ended (-1) a hash."""
        self.threads.labels(self.path, "busy").inc(more)

    def available(self, count: int) -> None:
        """Threads of the pool."""
        self.threads.labels(self.path, "all").set(count)

    def waited(self, seconds: float) -> None:
        """How long one waited for a thread."""
        self.waits.labels(self.path).observe(seconds)

    @contextmanager
    def call(self, what: str) -> Iterator[None]:
        """Around one hashing, waiting included."""
        started = time.perf_counter()
        try:
            yield
        finally:
            self.calls.labels(self.path, what).observe(time.perf_counter() - started)


def build_meter(meters: Meters, path: str) -> HashMeter:
    """The metrics of a hasher on this path."""
    return HashMeter(
        path,
        calls=meters.histogram("passwords", "hash", "seconds", "Duration of a call, waiting included.", ["call"]),
        waits=meters.histogram("passwords", "wait", "seconds", "Time waited for a thread."),
        refusals=meters.counter("passwords", "refused", "Turned away before hashing.", ["why"]),
        checks=meters.counter("passwords", "checks", "Passwords checked, by result.", ["result"]),
        queue=meters.gauge("passwords", "waiting", "items", "Callers that wait for a thread."),
        threads=meters.gauge("passwords", "threads", "items", "Threads of the pool: busy, all.", ["state"]),
    )


class Hasher(Protocol):
    """One path: hashes, and knows no limits."""

    async def hash(self, password: str, attempt: Attempt) -> str: ...

    async def verify(self, password: str, stored: str | None, attempt: Attempt) -> Verdict: ...


class LimitedHasher:
    """`PasswordHasher`: one path behind the limits, measured from outside."""

    def __init__(self, hasher: Hasher, limits: Limits, meter: HashMeter) -> None:
        self._hasher = hasher
        self._limits = limits
        self._meter = meter

    def check(self, attempt: Attempt) -> None:
        """See the port."""
        with self._refusing():
            self._limits.check(attempt)

    async def hash(self, password: str, attempt: Attempt) -> str:
        """See the port."""
        self._count(attempt)
        with self._meter.call("hash"):
            return await self._hasher.hash(password, attempt)

    async def verify(self, password: str, stored: str | None, attempt: Attempt) -> Verdict:
        """See the port."""
        self._count(attempt)
        with self._meter.call("verify"):
            verdict = await self._hasher.verify(password, stored, attempt)
        self._meter.checks.labels(self._meter.path, "valid" if verdict.valid else "invalid").inc()
        return verdict

    def _count(self, attempt: Attempt) -> None:
        with self._refusing():
            self._limits.count(attempt)

    @contextmanager
    def _refusing(self) -> Iterator[None]:
        try:
            yield
        except TooManyAttemptsError:
            self._meter.refused("limit")
            raise
