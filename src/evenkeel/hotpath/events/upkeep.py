"""What keeps watched rings up to date with other instances: three loops for the whole process, asleep when idle."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterable, Sequence
from itertools import islice

from evenkeel.hotpath.events.metering import BusMeter
from evenkeel.hotpath.events.ring import Ring
from evenkeel.hotpath.events.rings import Rings
from evenkeel.hotpath.events.rules import Activity, BusRules
from evenkeel.hotpath.ports.stream_events import Cursor, Page, StreamEvents
from evenkeel.hotpath.ports.wakeups import Mode, Wakeups
from evenkeel.kernel.errors import UnavailableError

SESSIONS_PER_READ = 500
PAGE_EVENTS = 200
RETRY_S = 0.2


class Upkeep:
    """`look` and `ask` note what to do; `relay`, `settle` and `sweep` do it, many sessions in one statement."""

    def __init__(
        self,
        rules: BusRules,
        rings: Rings,
        events: StreamEvents,
        wakeups: Wakeups,
        active: Activity,
        meter: BusMeter,
    ) -> None:
        self._rules, self._rings, self._events = rules, rings, events
        self._wakeups, self._active, self._meter = wakeups, active, meter
        self._to_read: dict[str, None] = {}  # sessions with readers, so bounded by them
        self._to_ask: dict[str, None] = {}
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._news, self._asked = asyncio.Event(), asyncio.Event()

    def close(self) -> None:
        """No timers any more."""
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()

    def look(self, session_ids: Sequence[str]) -> None:
        """Storage has news of these sessions; () = may have, of any. Sessions nobody reads here cost nothing."""
        for session_id in session_ids or [ring.session_id for ring in self._rings if ring.readers]:
            ring = self._rings.get(session_id)
            if ring is None or not ring.readers:
                continue
            if ring.known:
                self._to_read[session_id] = None
            else:
                ring.missed = True  # its first reader reads now, and will ask again
        if self._to_read:
            self._news.set()

    def ask(self, ring: Ring) -> None:
        """Its readers have everything; is anything at work?"""
        if ring.session_id not in self._timers:
            self._to_ask[ring.session_id] = None
            self._asked.set()

    async def relay(self) -> None:
        """One read at a time for everything there is news of; what comes meanwhile goes with the next."""
        while True:
            await self._news.wait()
            self._news.clear()
            while self._to_read:
                wanted = self._some(self._to_read)
                try:
                    await self._read(wanted)
                except UnavailableError:
                    self._to_read.update(dict.fromkeys(wanted))
                    await self._rules.clock.sleep(RETRY_S * random.uniform(0.5, 1.5))  # noqa: S311 spreads retries

    async def settle(self) -> None:
        """Find the sessions in which nothing is at work any more, and tell their readers: what is asked within `settle_s`
        is one look.
        """
        while True:
            await self._asked.wait()
            self._asked.clear()
            while self._to_ask:
                wanted = [name for name in self._some(self._to_ask) if self._is_watched(name)]
                try:
                    await self._settle(wanted)
                except UnavailableError:
                    self._to_ask.update(dict.fromkeys(wanted))
                    await self._rules.clock.sleep(RETRY_S * random.uniform(0.5, 1.5))  # noqa: S311 spreads retries
                else:
                    await self._rules.clock.sleep(self._rules.settle_s)

    async def sweep(self) -> None:
        """In case a wake-up was lost: look at everything that is read here, seldom, or often while none can arrive."""
        waited_s = 0.0
        while True:
            await self._rules.clock.sleep(self._rules.poll_s)
            waited_s += self._rules.poll_s
            self._rings.expire()
            if waited_s >= self._rules.sweep_s or self._wakeups.mode is Mode.POLL:
                waited_s = 0.0
                self.look(())
                for ring in self._rings:
                    if ring.readers and ring.quiet_at != ring.end:
                        self.ask(ring)

    def _some(self, names: dict[str, None]) -> list[str]:
        taken = list(islice(names, SESSIONS_PER_READ))
        for name in taken:
            del names[name]
        return taken

    def _is_watched(self, session_id: str) -> bool:
        ring = self._rings.get(session_id)
        return ring is not None and ring.readers > 0

    async def _read(self, session_ids: Iterable[str]) -> None:
        rings = [ring for name in session_ids if (ring := self._rings.get(name)) and ring.readers and ring.known]
        if not rings:
            return
        cursors = [Cursor(ring.session_id, ring.last, ring.epoch) for ring in rings]
        pages = await self._events.read_many(cursors, limit_each=PAGE_EVENTS)
        self._meter.read("relay")
        for page in pages.values():
            ring = self._rings.get(page.session_id)
            if ring is not None:
                self._add(ring, page)

    def _add(self, ring: Ring, page: Page) -> None:
        before = ring.size_bytes
        if page.lost is not None:  # each reader finds out for itself what it misses
            ring.epoch = page.epoch
            ring.cut(page.lost.last_id if page.lost.reason.value == "aged" else 0)
        for stored in page.events:
            ring.relay(self._rules.envelope.opened(page.session_id, page.epoch, stored))
        ring.trim(self._rules)
        self._rings.account(ring, before)
        ring.wake()
        if page.more:
            self.look([ring.session_id])

    async def _settle(self, session_ids: Sequence[str]) -> None:
        before = {name: ring.end for name in session_ids if (ring := self._rings.get(name))}
        active = await self._active(session_ids) if session_ids else frozenset()
        self._meter.read("activity")
        rings = [ring for name in before if (ring := self._rings.get(name))]
        idle = [ring for ring in rings if ring.session_id not in active and not ring.unstored]
        # What was said since the question was put is of a run that the answer may not know of.
        ends = {ring.session_id: before[ring.session_id] for ring in idle}
        # The end of a run is stored before its lease goes: see it first, where it was not seen.
        await self._read(ring.session_id for ring in idle if not ring.ended)
        for ring in rings:
            if ends.get(ring.session_id) == ring.end:
                ring.quiet_at, ring.pause_s = ring.end, 0.0
                ring.wake()
            elif ring.ended or ring.session_id not in active:
                self._ask_later(ring)
            else:
                ring.busy = True

    def _ask_later(self, ring: Ring) -> None:
        """A run that has said its last word lets go of its lease in a moment; one that the answer did not know may be in
        the next.
        """
        name = ring.session_id
        ring.pause_s = min(self._rules.settle_max_s, ring.pause_s * 2 or self._rules.settle_s)
        self._timers[name] = asyncio.get_running_loop().call_later(ring.pause_s, self._ask_again, name)

    def _ask_again(self, session_id: str) -> None:
        self._timers.pop(session_id, None)
        ring = self._rings.get(session_id)
        if ring is not None and ring.readers:
            self.ask(ring)
