"""What the limiter tells about itself: the same series for both paths, measured around it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from prometheus_client import Counter, Histogram

from evenkeel.hotpath.ports.errors import SessionBusyError
from evenkeel.hotpath.ports.limiter import Admission, Grant, Limiter, Occupancy, Refusal
from evenkeel.kernel.errors import OverloadedError
from evenkeel.kernel.metrics import Meters
from evenkeel.kernel.switch import Path


@dataclass(frozen=True, slots=True)
class MeteredLimiter:
    """Around either path."""

    inner: Limiter
    path: str
    waits: Histogram
    outcomes: Counter

    async def admit(self, admission: Admission) -> Grant:
        """See the port."""
        with self._timed():
            grant = await self.inner.admit(admission)
        self.outcomes.labels(self.path, "granted").inc()
        return grant

    async def try_admit(self, admission: Admission) -> Grant | Refusal:
        """See the port."""
        with self._timed():
            found = await self.inner.try_admit(admission)
        self.outcomes.labels(self.path, found.value if isinstance(found, Refusal) else "granted").inc()
        return found

    def occupancy(self) -> Occupancy:
        """See the port."""
        return self.inner.occupancy()

    @contextmanager
    def _timed(self) -> Iterator[None]:
        started = time.perf_counter()
        try:
            yield
        except SessionBusyError:
            self.outcomes.labels(self.path, "busy").inc()
            raise
        except OverloadedError:
            self.outcomes.labels(self.path, "full").inc()
            raise
        finally:
            self.waits.labels(self.path).observe(time.perf_counter() - started)


def metered(limiter: Limiter, meters: Meters, path: Path) -> MeteredLimiter:
    """The limiter with its metrics; levels are sampled when scraped."""
    levels = meters.gauge("limiter", "sessions", "items", "Sessions: here, everywhere, waiting, the limit.", ["state"])
    for state in ("active", "active_everywhere", "waiting", "limit"):
        levels.labels(path.value, state).set_function(_level(limiter, state))
    return MeteredLimiter(
        limiter,
        path.value,
        waits=meters.histogram("limiter", "admission", "seconds", "Time until an answer."),
        outcomes=meters.counter("limiter", "admissions", "Admissions by outcome.", ["outcome"]),
    )


class _level:  # noqa: N801 a function with a name to look up
    def __init__(self, limiter: Limiter, state: str) -> None:
        self._limiter, self._state = limiter, state

    def __call__(self) -> float:
        return float(getattr(self._limiter.occupancy(), self._state))
