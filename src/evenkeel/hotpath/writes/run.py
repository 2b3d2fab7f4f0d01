"""A run on the optimised path: what it says is shown at once and waits in a buffer for the next batch."""

from __future__ import annotations

import asyncio
from typing import Protocol

from evenkeel.hotpath.ports.bus import Bus, Event
from evenkeel.hotpath.ports.errors import StorageUnavailableError
from evenkeel.hotpath.ports.event_writer import Draft
from evenkeel.hotpath.ports.stream_events import EventBatch, Post
from evenkeel.hotpath.writes.pen import Pen
from evenkeel.kernel.errors import EvenkeelError


class Carrier(Protocol):
    """Takes a run's batches to storage."""

    @property
    def error(self) -> EvenkeelError | None:
        """What storage answered to the last try; None = it works."""
        ...

    @property
    def full(self) -> bool:
        """With other sessions, it has as much waiting as may wait."""
        ...

    def carry(self, run: BufferedRun, rows: int, size_bytes: int, *, now: bool) -> None:
        """There is more to store; `now` = someone waits for it."""
        ...

    async def progress(self) -> None:
        """Until something was stored, or given up, of any session."""
        ...

    def closed(self, run: BufferedRun) -> None:
        """The run is over. Repeatable."""
        ...


class BufferedRun:
    """`RunWriter`. Its buffer is a list of rows, and the deltas that will be joined into the next row."""

    def __init__(self, pen: Pen, bus: Bus, carrier: Carrier) -> None:
        self.pen = pen
        self._bus = bus
        self._carrier = carrier
        self._rules = pen.rules
        self._ids: list[int] = []
        self._payloads: list[bytes] = []
        self._posts: list[int] = []
        self._deltas: list[tuple[int, bytes]] = []
        self._delta_kind, self._delta_bytes, self._delta_row = "", 0, b""
        self.rows = self.size_bytes = 0  # waiting, those under way included
        self.first_s = 0.0
        self._saved_to = pen.last_id
        self._said_to = pen.last_id  # the highest id that must be stored
        self._terminal: Event | None = None
        self._line = asyncio.Lock()
        self._waiters: list[tuple[int, asyncio.Future[None]]] = []

    @property
    def term(self) -> int:
        """See the port."""
        return self.pen.head.term

    @property
    def session_id(self) -> str:
        """Whose stream it is."""
        return self.pen.head.session_id

    async def emit(self, draft: Draft) -> Event:
        """See the port."""
        body = self.pen.body(draft)
        if self._full or self._line.locked():
            async with self._line:  # in order of arrival; who comes meanwhile queues behind
                await self._room()
                event = self._say(draft, body)
        else:
            event = self._say(draft, body)
        if draft.terminal:
            await self.flush()
        return event

    async def flush(self) -> None:
        """See the port."""
        target = self._said_to
        if self._saved_to < target:
            self._carrier.carry(self, 0, 0, now=True)
            await self._until(target, self._rules.flush_s)
        if self.pen.broken is not None:
            raise self.pen.broken

    async def close(self) -> None:
        """See the port."""
        try:
            if self.pen.broken is None:
                await self.flush()
        finally:
            self.pen.shut = True  # what it has said is still being stored
            self._carrier.closed(self)

    def post(self, post: Post) -> None:
        """Take in what another instance wants said."""
        event = self.pen.take(post)
        if event is not None:
            self._end_row()
            self._posts.append(post.post_id)
            self._add(event.event_id, post.payload)
            self._bus.publish(event)

    def take(self) -> EventBatch | None:
        """Everything that waits, as one batch; None if there is nothing, or nothing may be written any more."""
        self._end_row()
        if self.pen.broken is not None or self._saved_to >= self._said_to:
            return None
        batch = self.pen.batch(self._ids, self._payloads, self._posts)
        self._ids, self._payloads, self._posts = [], [], []
        return batch

    def stored(self, batch: EventBatch) -> None:
        """The batch is durable."""
        self.pen.stored(batch)
        self.rows -= len(batch.event_ids)
        self.size_bytes -= sum(map(len, batch.payloads))
        self._saved_to = batch.last_id
        if batch.closing:
            self._publish_terminal()
        self._wake()
        self._bus.flushed(self.session_id, batch.last_id)

    def broke(self, error: EvenkeelError) -> int:
        """Nothing of this run can be stored any more; answers how many rows are given up."""
        lost, self.rows, self.size_bytes = self.rows, 0, 0
        self.pen.broken = error
        self._ids, self._payloads, self._posts, self._deltas = [], [], [], []
        self._wake()
        return lost

    def _publish_terminal(self) -> None:
        """Shown once it is stored: of two ends, the one that lost is never seen."""
        if self._terminal is not None:
            self._bus.publish(self._terminal)
            self._terminal = None
        self._carrier.closed(self)

    @property
    def _full(self) -> bool:
        return (
            self.rows >= self._rules.session_events
            or self.size_bytes >= self._rules.session_bytes
            or self.pen.next_id > self.pen.reserved_to
            or self._carrier.full
        )

    def _say(self, draft: Draft, body: bytes) -> Event:
        event, stored = self.pen.write(draft, body)
        if draft.stored:
            if draft.text_bytes:
                self._add_delta(event, body, stored)
            else:
                self._end_row()
                self._add(event.event_id, stored)
        elif self.pen.next_id + self._rules.session_events > self.pen.reserved_to:
            self._said_to = event.event_id  # an append of no rows, to reserve more ids
            self._carrier.carry(self, 0, 0, now=False)
        if draft.terminal:
            self._terminal = event
        else:
            self._bus.publish(event)
        return event

    def _add(self, event_id: int, stored: bytes) -> None:
        if not self.rows:
            self.first_s = self._rules.clock.monotonic_s()
        self._ids.append(event_id)
        self._payloads.append(stored)
        self.rows += 1
        self.size_bytes += len(stored)
        self._said_to = event_id
        self._carrier.carry(self, 1, len(stored), now=False)

    def _add_delta(self, event: Event, body: bytes, stored: bytes) -> None:
        if self._deltas and (event.kind != self._delta_kind or self._delta_bytes > self._rules.join_bytes):
            self._end_row()
        self._deltas.append((event.event_id, body))
        self._delta_kind, self._delta_row = event.kind, stored
        self._delta_bytes += len(body) + 24
        self._said_to = event.event_id
        if len(self._deltas) == 1:
            self._carrier.carry(self, 0, 0, now=False)

    def _end_row(self) -> None:
        """Join the deltas since the last row; a single one stays as it was shown."""
        if not self._deltas:
            return
        deltas, self._deltas, self._delta_bytes = self._deltas, [], 0
        row = self._delta_row
        if len(deltas) > 1:
            body = self._rules.envelope.joined(deltas)
            row = self._rules.envelope.sealed(self.session_id, self._delta_kind, body, self._rules.clock.wall_s())
        said_to = self._said_to
        self._add(deltas[-1][0], row)
        self._said_to = said_to

    async def _room(self) -> None:
        if self._full and self.pen.broken is None:
            self._carrier.carry(self, 0, 0, now=True)
        async with _deadline(self._rules.room_s, self._carrier):
            while self._full and self.pen.broken is None:
                await self._carrier.progress()

    async def _until(self, target: int, within_s: float) -> None:
        async with _deadline(within_s, self._carrier):
            while self._saved_to < target and self.pen.broken is None:
                await self._wait(target)

    async def _wait(self, target: int) -> None:
        future = asyncio.get_running_loop().create_future()
        entry = (target, future)
        self._waiters.append(entry)
        try:
            await future
        finally:
            if entry in self._waiters:
                self._waiters.remove(entry)

    def _wake(self) -> None:
        for target, future in tuple(self._waiters):
            if (self._saved_to >= target or self.pen.broken is not None) and not future.done():
                future.set_result(None)


class _deadline:  # noqa: N801 used like asyncio.timeout
    """`asyncio.timeout` that raises what storage said, or that it said nothing."""

    def __init__(self, within_s: float, carrier: Carrier) -> None:
        self._timeout = asyncio.timeout(within_s)
        self._within_s = within_s
        self._carrier = carrier

    async def __aenter__(self) -> None:
        await self._timeout.__aenter__()

    async def __aexit__(self, *raised: object) -> None:
        try:
            await self._timeout.__aexit__(*raised)  # type: ignore[arg-type]
        except TimeoutError:
            reason = f"events wait for more than {self._within_s:g} s"
            raise self._carrier.error or StorageUnavailableError(reason) from None
