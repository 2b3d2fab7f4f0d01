"""Heartbeats from a thread of their own: user code that keeps the event loop busy does not lose the leases.

The thread has an event loop and a storage of its own (`Storage.beside`). It also watches the main loop: one that is
silent for `stall_s` is taken for hung, its leases are kept no longer, and others get the tasks. (C code that holds
the interpreter lock stops this thread as well; then the lease runs out, which the fence is for.)
"""

from __future__ import annotations

import asyncio
import logging
import threading
from concurrent.futures import Future
from dataclasses import dataclass

from evenkeel.hotpath.ports.storage import Storage
from evenkeel.hotpath.ports.task_queue import QueueRules
from evenkeel.hotpath.tasks.beats import Findings, apply, beat, due
from evenkeel.hotpath.tasks.jobs import HeldJobs
from evenkeel.hotpath.tasks.metering import TaskMeter
from evenkeel.kernel.clock import Clock
from evenkeel.kernel.loops import run_like

LOG = logging.getLogger(__name__)


@dataclass(slots=True)
class Pulse:
    """What the thread knows of the main loop: since when it has owed an answer (monotonic seconds), if it does."""

    loop: asyncio.AbstractEventLoop
    clock: Clock
    asked_s: float | None = None

    def ask(self) -> None:
        """Ask the main loop to show that it turns. Raises RuntimeError when it is closed."""
        if self.asked_s is None:
            self.asked_s = self.clock.monotonic_s()
            self.loop.call_soon_threadsafe(self._answer)

    def _answer(self) -> None:
        self.asked_s = None

    def silent_s(self) -> float:
        """For how long the main loop has owed an answer."""
        asked = self.asked_s
        return 0.0 if asked is None else self.clock.monotonic_s() - asked


class HeartbeatThread:
    """Start on the main loop with `start`; `stop` there too, before the storage is closed."""

    def __init__(self, storage: Storage, held: HeldJobs, rules: QueueRules, clock: Clock, meter: TaskMeter) -> None:
        self._storage = storage
        self._held = held
        self._rules = rules
        self._clock = clock
        self._meter = meter
        self._hung = False
        self._pulse = Pulse(asyncio.get_running_loop(), clock)
        self._ready: Future[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = Future()
        self._ended: Future[None] = Future()
        self._thread = threading.Thread(target=self._main, name="evenkeel-heartbeat", daemon=True)

    async def start(self) -> None:
        """Returns when heartbeats can leave. Raises what opening a second storage raises."""
        self._thread.start()
        await asyncio.wrap_future(self._ready)

    async def stop(self) -> None:
        """Send no more; returns when the thread has closed its storage."""
        loop, stopping = await asyncio.wrap_future(self._ready)
        if not self._ended.done():
            loop.call_soon_threadsafe(stopping.set)
        await asyncio.wrap_future(self._ended)

    def _main(self) -> None:
        try:
            run_like(self._pulse.loop, self._run())
        except BaseException as error:  # handed to whoever waits for the thread
            if not self._ready.done():
                self._ready.set_exception(error)
            LOG.exception("The heartbeat thread ended; leases of this process will run out.")
        finally:
            self._ended.set_result(None)

    async def _run(self) -> None:
        beside = await self._storage.beside()
        stopping = asyncio.Event()
        self._ready.set_result((asyncio.get_running_loop(), stopping))
        try:
            while not await _set_within(stopping, self._rules.lease_s / 3):
                await self._round(beside)
        finally:
            await beside.aclose()

    async def _round(self, beside: Storage) -> None:
        """One tick. Whatever goes wrong in it must not end the thread: the next tick tries again."""
        try:
            self._pulse.ask()
            silent_s = self._pulse.silent_s()
            self._meter.silent(silent_s)
            if self._is_hung(silent_s):
                return
            jobs = due(self._held, self._rules.lease_s, self._clock)
            self._tell(await beat(beside.tasks, jobs, self._rules.lease_s, self._clock))
        except Exception:
            LOG.exception("A round of heartbeats failed.")
            self._meter.beat_failed()

    def _is_hung(self, silent_s: float) -> bool:
        hung = silent_s > self._rules.stall_s
        if hung and not self._hung:
            LOG.error("The event loop has been silent for %.1f s; its leases are kept no longer.", silent_s)
        self._hung = hung
        return hung

    def _tell(self, found: Findings) -> None:
        if found.failed:
            self._meter.beat_failed()
        if not found.ended:
            return
        for job, why in found.ended:  # readable at once, even while the loop is busy
            if job.stop is None and not job.settling and self._held.holds(job):
                job.stop = why
        self._pulse.loop.call_soon_threadsafe(self._apply, found)

    def _apply(self, found: Findings) -> None:
        gone = apply(found, self._held)
        self._meter.lost(len(gone))


async def _set_within(event: asyncio.Event, seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return False
    return True
