"""A session's newest events in memory, and who waits for the next one. Plain data: no loop, no storage."""

from __future__ import annotations

import asyncio
from bisect import bisect_right

from evenkeel.hotpath.events.rules import BusRules
from evenkeel.hotpath.ports.bus import Event, Live, Replayed


class Ring:
    """Every event above `floor` that this instance saw, up to `last`; positions count entries ever added.

    `settled_to`: all that will ever be stored up to this id is stored, so a reader that has read storage to its end
    has everything up to it. A position below `base` means: read storage. `known` is False until the ring has learnt
    where the session stands. `busy`: something is at work as far as is known, so nobody need ask; the sweep makes sure.
    """

    __slots__ = (
        "_sliced",
        "_waiting",
        "base",
        "busy",
        "ended_at",
        "entries",
        "epoch",
        "floor",
        "known",
        "last",
        "missed",
        "pause_s",
        "quiet_at",
        "readers",
        "relayed_to",
        "session_id",
        "settled_to",
        "size_bytes",
        "used_at",
        "waking",
    )

    def __init__(self, session_id: str) -> None:
        self.session_id = session_id
        self.entries: list[Event] = []
        self.base = self.floor = self.last = self.settled_to = self.epoch = self.size_bytes = self.relayed_to = 0
        self.known = self.missed = self.waking = self.busy = False
        self.readers = 0
        self.quiet_at = self.ended_at = -1
        self.pause_s = self.used_at = 0.0
        self._waiting: list[asyncio.Future[None]] = []
        self._sliced: tuple[int, int, Live | Replayed] | None = None

    @property
    def end(self) -> int:
        """The position behind the newest entry."""
        return self.base + len(self.entries)

    @property
    def unstored(self) -> bool:
        """Something in it is not stored yet, so memory is all there is."""
        return self.last > self.settled_to

    @property
    def ended(self) -> bool:
        """The newest event that was seen is the last of its run, also when a reader saw it in storage before it came here."""
        return self.ended_at == self.last

    def learn(self, event_id: int, epoch: int) -> None:
        """Storage was read to its end: nothing above `event_id` is stored. Ahead of us, it replaces what we know."""
        self.epoch = self.epoch or epoch
        if not self.known or event_id > self.last:
            self.cut(event_id)

    def saw_end(self, event_id: int) -> None:
        """A reader found the last event of a run in storage: it is stored before its publisher shows it here."""
        if event_id == self.last:
            self.ended_at, self.busy = event_id, False

    def cut(self, event_id: int) -> None:
        """Forget the entries: who is not past `event_id` reads storage."""
        self.base += len(self.entries) + 1  # below it are all positions handed out so far
        self.entries = []
        self.size_bytes = 0
        self.busy = False  # as of what is forgotten: whoever reads asks
        self.known = True
        self.floor = self.last = self.settled_to = event_id

    def add(self, event: Event) -> bool:
        """Take an event from its publisher; False for one that is older than what is here (a writer without a term)."""
        if event.epoch and event.epoch != self.epoch:
            if event.epoch < self.epoch:
                return False
            if self.epoch:
                self.known = False  # the session was deleted and made anew: ids begin again
            self.epoch = event.epoch
        if not self.known or event.event_id > self.last + 1:
            self.cut(event.event_id - 1)  # what is between was stored before this writer began
        elif event.event_id <= self.last:
            return False
        self._append(event)
        self.busy = not event.terminal
        return True

    def relay(self, event: Event) -> None:
        """Take an event that was read from storage, where another instance put it."""
        if event.event_id > self.last:
            self._append(event)
            if event.terminal:
                # What comes after it may be of a run, or what the queue says of an end: whoever reads asks.
                self.busy = False
            self.settled_to = self.relayed_to = event.event_id

    def _append(self, event: Event) -> None:
        self.entries.append(event)
        self.last = event.event_id
        self.ended_at = event.event_id if event.terminal else -1
        self.size_bytes += len(event.payload)

    def settled(self, event_id: int) -> None:
        """All up to here is stored."""
        self.settled_to = max(self.settled_to, min(event_id, self.last))

    def trim(self, rules: BusRules) -> None:
        """Back under the bounds: stored entries first; beyond the bound for unstored ones, these too."""
        entries, size = self.entries, self.size_bytes
        if len(entries) <= rules.ring_events and size <= rules.ring_bytes:
            return
        over = len(entries) > rules.unstored_events or size > 4 * rules.ring_bytes
        limit = self.last if over else self.settled_to
        count, keep_events, keep_bytes = 0, rules.ring_events // 2, rules.ring_bytes // 2
        while count < len(entries) and (len(entries) - count > keep_events or size > keep_bytes):
            if entries[count].event_id > limit:
                break
            size -= len(entries[count].payload)
            count += 1
        self.drop(count)

    def drop(self, count: int) -> None:
        """Forget the oldest entries."""
        if not count:
            return
        self.floor = self.entries[count - 1].event_id
        self.size_bytes -= sum(len(event.payload) for event in self.entries[:count])
        self.base += count
        del self.entries[:count]

    def position_after(self, event_id: int) -> int | None:
        """Where a reader goes on that has everything up to `event_id`; None = storage has what it misses."""
        if not self.known or event_id < self.floor:
            return None
        return self.base + bisect_right(self.entries, event_id, key=_event_id)

    def after(self, position: int, limit: int) -> Live | Replayed:
        """The entries from a position on; readers at one place share one object."""
        start = position - self.base
        end = min(len(self.entries), start + limit)
        if self._sliced is None or self._sliced[:2] != (position, self.base + end):
            events = tuple(self.entries[start:end])
            kind = Live if events[0].event_id > self.relayed_to else Replayed
            self._sliced = (position, self.base + end, kind(events))
        return self._sliced[2]

    def wait(self) -> asyncio.Future[None]:
        """Done with the next `wake`."""
        future = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        return future

    def wake(self) -> None:
        """Everyone who waits looks again."""
        self.waking = False
        waiting, self._waiting = self._waiting, []
        for future in waiting:
            if not future.done():
                future.set_result(None)

    def unwait(self, future: asyncio.Future[None]) -> None:
        """A reader that was cancelled waits no more."""
        if future in self._waiting:
            self._waiting.remove(future)


def _event_id(event: Event) -> int:
    return event.event_id
