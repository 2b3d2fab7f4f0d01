"""Renews leases and the share from a thread of its own, so that a stalled event loop loses neither."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from evenkeel.hotpath.limiter.grants import RunGrant
from evenkeel.hotpath.limiter.rules import LimiterRules
from evenkeel.hotpath.limiter.slots import Slots
from evenkeel.hotpath.ports.leases import Lease
from evenkeel.hotpath.ports.shares import Share
from evenkeel.hotpath.ports.storage import Storage
from evenkeel.kernel.errors import UnavailableError
from evenkeel.kernel.loops import run_like

ROUNDS_PER_LEASE = 3
Applied = Callable[[Share, float, int], None]
"""Called on the main loop: a share, until when it holds (monotonic), and the version of the request behind it."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request for a share. `version` counts how often some were given back: a request with a new one gives back all
    but `wanted`, one with the version of the last asks for more, and an older one was overtaken.
    """

    wanted: int
    version: int


class Keeper:
    """One thread, one loop, one storage of its own. `apply` hears of every share that was claimed; of `slots` it only
    reads the numbers.
    """

    def __init__(self, rules: LimiterRules, storage: Storage, slots: Slots, apply: Applied) -> None:
        self._rules, self._main_storage, self._slots, self._apply = rules, storage, slots, apply
        self._main = asyncio.get_running_loop()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ready: asyncio.Future[None] = self._main.create_future()
        self._ended: Future[None] = Future()
        self._thread = threading.Thread(target=self._run, name="evenkeel-limiter", daemon=True)
        self._stop = asyncio.Event()  # both belong to the thread's loop, which uses them first
        self._claiming = asyncio.Lock()
        self._lock = threading.Lock()  # held for one look at the dict
        self._held: dict[Lease, RunGrant] = {}  # bounded by the limit
        self._granted = self._version = 0
        self._valid_until = 0.0

    async def start(self) -> None:
        """Open the storage and claim the first share. Raises what that raises."""
        self._thread.start()
        await self._ready

    async def close(self) -> None:
        """Give the share back and end the thread."""
        if self._loop is not None and not self._ended.done():
            with suppress(RuntimeError):  # it has ended by itself
                self._loop.call_soon_threadsafe(self._stop.set)
        await asyncio.wrap_future(self._ended)
        while self._thread.is_alive():  # noqa: ASYNC110 it has nothing left to do but to end
            await asyncio.sleep(0.001)

    def hold(self, grant: RunGrant) -> None:
        """Renew its lease from now on."""
        with self._lock:
            self._held[grant.lease] = grant

    def drop(self, grant: RunGrant) -> None:
        """Renew it no more."""
        with self._lock:
            self._held.pop(grant.lease, None)

    @property
    def grants(self) -> list[RunGrant]:
        """All that are held."""
        with self._lock:
            return list(self._held.values())

    async def claim(self, asked: Asked) -> None:
        """Ask for a share; answered through `apply`, also when the answer is no. Not raised: storage being away."""
        if self._loop is not None and not self._ended.done():
            await asyncio.wrap_future(self._send(self._loop, self._claim(asked)))

    @staticmethod
    def _send(loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, None]) -> Future[None]:
        return asyncio.run_coroutine_threadsafe(work, loop)

    def _run(self) -> None:
        try:
            run_like(self._main, self._work())
        except BaseException as error:
            self._on_main(self._failed, error)
        finally:
            self._ended.set_result(None)

    def _failed(self, error: BaseException) -> None:
        """Before the start: raised there. Later: grants run out, and the loop's exception handler knows why."""
        if not self._ready.done():
            self._ready.set_exception(error)
        else:
            self._main.call_exception_handler({"message": "The limiter's keeper failed.", "exception": error})

    async def _work(self) -> None:
        storage = await self._main_storage.beside()
        try:
            self._loop, self._storage = asyncio.get_running_loop(), storage
            await self._claim_once(Asked(self._rules.max_active, 0))
            self._on_main(self._ready.set_result, None)
            while not await self._stopped_within(self._rules.lease_s / ROUNDS_PER_LEASE):
                await self._renew()
                await self._claim(None)
            with suppress(UnavailableError):
                await storage.shares.give_back(self._rules.pool, self._rules.instance)
        finally:
            await storage.aclose()

    async def _stopped_within(self, pause_s: float) -> bool:
        with suppress(TimeoutError):
            async with asyncio.timeout(pause_s):
                await self._stop.wait()
        return self._stop.is_set()

    async def _renew(self) -> None:
        """All leases in one statement; what cannot be renewed in time is lost."""
        grants = {grant.lease: grant for grant in self.grants}
        started = self._rules.clock.monotonic_s()
        try:
            lost = await self._storage.leases.renew(list(grants), self._rules.lease_s)
        except UnavailableError:
            gone = [grant for grant in grants.values() if grant.lost]
        else:
            gone = [grant for lease, grant in grants.items() if lease.session_id in lost]
            for lease, grant in grants.items():
                if lease.session_id not in lost:
                    grant.extend(started + self._rules.lease_s)
        for grant in gone:
            self.drop(grant)
            grant.doubt()
            self._on_main(grant.tell)

    async def _claim(self, asked: Asked | None) -> None:
        with suppress(UnavailableError):  # without an answer the share runs out by itself
            await self._claim_once(asked)

    async def _claim_once(self, asked: Asked | None) -> None:
        rules = self._rules
        async with self._claiming:  # one after another, so `granted` here is what storage says
            wanted, keep = self._needs(asked)
            started = rules.clock.monotonic_s()
            share = await self._storage.shares.claim(
                rules.pool, rules.instance, wanted=wanted, keep=keep, limit=rules.max_active, ttl_s=rules.lease_s
            )
            self._granted, self._valid_until = share.granted, started + rules.lease_s
            self._on_main(self._apply, share, self._valid_until, self._version)

    def _needs(self, asked: Asked | None) -> tuple[int, int]:
        """What to ask for, and what to keep; without `asked`: a renewal.

        What is waited for is asked for each time: a renewal that asks for less would hide from the others that
        somebody waits. Of a share that ran out only what is in use is kept, for others may have the rest; nobody was
        let in since, so that cannot have grown.
        """
        if asked is not None and asked.version > self._version:
            self._version = asked.version
            return asked.wanted, asked.wanted
        in_use, waiting = self._slots.in_use, self._slots.waiting
        keep = self._granted if self._rules.clock.monotonic_s() < self._valid_until else in_use
        wanted = self._rules.wanted(in_use + waiting) if waiting else 0
        if asked is not None and asked.version == self._version:
            wanted = max(wanted, asked.wanted)
        return max(keep, wanted), keep

    def _on_main(self, call: Callable[..., object], *arguments: object) -> None:
        with suppress(RuntimeError):  # the main loop is closed: nobody is left to tell
            self._main.call_soon_threadsafe(call, *arguments)
