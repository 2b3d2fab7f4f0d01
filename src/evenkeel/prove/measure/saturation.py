"""Was the instrument the bottleneck? The lag of its own loop, its share of a core, and arrivals that left late.

A generator that is late measures itself: a word that waits 40 ms in the client's own queue looks like a slow server. So
each run carries these figures, and beyond a bound it is void.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from evenkeel.prove.measure.values import Saturation

TICK_S = 0.01
MAX_LAG_P99_S = 0.020  # a fifth of what a user notices, and below the 50 ms that S2 promises
LAG_PART = 0.02
"""Of the shortest time that a run measures: beside a server that takes seconds, 30 ms of the instrument change nothing."""
MAX_CPU_SHARE = 0.85
MAX_LATE_STARTS = 0.05
LATE_S = 0.05


@dataclass
class LoopWatch:
    """Wakes up every 10 ms and notes how late. `arrived` is told how late each arrival left (seconds)."""

    clock: Callable[[], float] = time.monotonic
    cpu: Callable[[], float] = time.process_time
    lags: list[float] = field(default_factory=list)
    arrivals: int = 0
    late: int = 0
    _began: float = 0.0
    _cpu_began: float = 0.0
    _ended: tuple[float, float] | None = None
    _task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> LoopWatch:
        self._began, self._cpu_began = self.clock(), self.cpu()
        self._task = asyncio.create_task(self._watch())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._ended = (self.clock(), self.cpu())
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _watch(self) -> None:
        due = self.clock()
        while True:
            due += TICK_S
            await asyncio.sleep(max(0.0, due - self.clock()))
            now = self.clock()
            self.lags.append(now - due)
            due = max(due, now - TICK_S)  # one stall is one lag, not a row of them

    def arrived(self, late_s: float) -> None:
        """An arrival left, `late_s` after it was due."""
        self.arrivals += 1
        self.late += late_s > LATE_S

    def share(self) -> float:
        """CPU seconds per second so far."""
        ended, cpu = self._ended or (self.clock(), self.cpu())
        return (cpu - self._cpu_began) / max(1e-9, ended - self._began)


def saturation(
    watch: LoopWatch, model_lags: list[float], model_cpu_share: float, max_lag_s: float = MAX_LAG_P99_S
) -> Saturation:
    """The verdict on the instrument; `void` names the first bound that was broken.

    `max_lag_s`: how late its loops may be at P99. What is counted per minute bears more than what is timed in ms."""
    lag, model_lag = quantile(watch.lags, 0.99), quantile(model_lags, 0.99)
    late = watch.late / watch.arrivals if watch.arrivals else 0.0
    return Saturation(
        loop_lag_p99_s=lag,
        loop_lag_max_s=max(watch.lags, default=0.0),
        cpu_share=watch.share(),
        model_lag_p99_s=model_lag,
        model_cpu_share=model_cpu_share,
        late_starts=late,
        void=_void((lag, model_lag, max_lag_s), watch.share(), model_cpu_share, late),
    )


def tolerated_s(values: Mapping[str, float], least_s: float = MAX_LAG_P99_S) -> float:
    """How late the loops of the instrument may be (seconds, P99) beside what a run measured: its P95s in ms."""
    times = [value for key, value in values.items() if key.endswith("_p95_ms")]
    return max(least_s, LAG_PART * min(times, default=0.0) / 1e3)


def _void(lags: tuple[float, float, float], share: float, model_share: float, late: float) -> str:
    lag, model_lag, most = lags
    if lag > most:
        return f"the clients' loop was {lag * 1e3:.0f} ms late at P99 (at most {most * 1e3:.0f})"
    if share > MAX_CPU_SHARE:
        return f"the clients took {share:.0%} of a core (at most {MAX_CPU_SHARE:.0%})"
    if model_lag > most:
        return f"the simulated model was {model_lag * 1e3:.0f} ms late at P99 (at most {most * 1e3:.0f})"
    if model_share > MAX_CPU_SHARE:
        return f"the simulated model took {model_share:.0%} of a core (at most {MAX_CPU_SHARE:.0%})"
    if late > MAX_LATE_STARTS:
        return f"{late:.0%} of the arrivals left more than {LATE_S * 1e3:.0f} ms late (at most {MAX_LATE_STARTS:.0%})"
    return ""


def quantile(values: list[float], part: float) -> float:
    """The value below which `part` of them lie; 0 when there are none."""
    return sorted(values)[min(len(values) - 1, int(len(values) * part))] if values else 0.0
