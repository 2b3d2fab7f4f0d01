"""Stream events on SQLite."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import apsw

from evenkeel.hotpath.ports.agent_tasks import CancelledSession, LastWords, TaskRecord
from evenkeel.hotpath.ports.errors import FencedError, OffsetTakenError, StoppedError, UnknownSessionError
from evenkeel.hotpath.ports.stream_events import (
    RESERVE_AHEAD,
    Appended,
    Cursor,
    EventBatch,
    Page,
    Post,
    StoredEvent,
    StreamHead,
    TaskFence,
)
from evenkeel.hotpath.storage.checks import check_ids, check_payload, check_payloads
from evenkeel.hotpath.storage.rows import Row, loss_of, said_of, start_of
from evenkeel.hotpath.storage.sqlite.access import Access, as_json


@dataclass(frozen=True, slots=True)
class SqliteEvents:
    """`StreamEvents`."""

    access: Access

    async def open(self, session_id: str, user_id: str, *, fence: TaskFence | None = None) -> StreamHead:
        """See the port."""
        check_ids(self.access.settings.bounds.id_bytes, session_id, user_id)
        return await self.access.run.write("open_stream", lambda db: self._open(db, session_id, user_id, fence))

    async def append(self, batches: Sequence[EventBatch]) -> Appended:
        """See the port."""
        for batch in batches:
            check_payloads("An event", batch.payloads, self.access.settings.bounds.event_bytes)
        done = await self.access.run.write("append_events", lambda db: self._append(db, batches))
        self.access.meter.wrote("stream_events", done.stored)
        self.access.meter.rejected("event", len(done.fenced))
        return done

    async def settle(self, session_id: str, payload: bytes, *, term: int | None = None) -> int | None:
        """See the port."""
        check_payload("An event", payload, self.access.settings.bounds.event_bytes)
        return await self.access.run.write("settle_stream", lambda db: self._settle(db, session_id, payload, term))

    async def post(self, session_id: str, user_id: str, payload: bytes) -> int | None:
        """See the port."""
        check_ids(self.access.settings.bounds.id_bytes, session_id, user_id)
        check_payload("An event", payload, self.access.settings.bounds.event_bytes)
        return await self.access.run.write("post_event", lambda db: self._post(db, session_id, user_id, payload))

    async def posts(self, session_ids: Sequence[str]) -> list[Post]:
        """See the port."""
        rows = await self.access.run.read(
            "posts_of", lambda db: self.access.rows(db, "posts_of", session_ids=as_json(session_ids))
        )
        return [Post(*row) for row in rows]

    async def read(self, cursor: Cursor, *, limit: int = 500, user_id: str | None = None) -> Page:
        """See the port."""
        check_ids(self.access.settings.bounds.id_bytes, cursor.session_id)
        return await self.access.run.read("read_events", lambda db: self._page(db, cursor, limit, user_id))

    async def read_tail(self, session_id: str, *, limit: int = 500, user_id: str | None = None) -> Page:
        """See the port."""
        check_ids(self.access.settings.bounds.id_bytes, session_id)
        return await self.access.run.read("read_tail", lambda db: self._tail(db, session_id, limit, user_id))

    async def read_many(self, cursors: Sequence[Cursor], *, limit_each: int = 200) -> dict[str, Page]:
        """See the port."""

        def read(db: apsw.Connection) -> dict[str, Page]:
            pages = (self._page(db, cursor, limit_each, None) for cursor in cursors)
            return {page.session_id: page for page in pages if page.events or page.lost}

        return await self.access.run.read("read_events", read)

    async def forget(self, session_id: str) -> None:
        """See the port."""
        await self.access.run.write("forget_stream", lambda db: forget_events(self.access, db, session_id))

    async def prune(self, older_than_s: float, *, max_sessions: int = 50, max_rows: int = 5000) -> int:
        """See the port."""
        return await self.access.run.write(
            "prune_events", lambda db: self._prune(db, older_than_s, max_sessions, max_rows // max_sessions)
        )

    def _open(self, db: apsw.Connection, session_id: str, user_id: str, fence: TaskFence | None) -> StreamHead:
        if fence is not None:
            held = self.access.at(db, "fence_holds", fence.task_id, fence.attempt)
            if not held or held[0][0]:
                raise (StoppedError if held else FencedError)(f"Task {fence.task_id!r}, attempt {fence.attempt},")
        row = self.access.row(db, "open_stream", session_id=session_id, user_id=user_id, ahead=RESERVE_AHEAD)
        if row is None:
            raise UnknownSessionError(session_id)
        epoch, term, reserved_to = row
        self.access.rows(db, "keep_stream_epoch", epoch=epoch)
        return StreamHead(session_id, epoch, term, reserved_to - RESERVE_AHEAD + 1, reserved_to)

    def _append(self, db: apsw.Connection, batches: Sequence[EventBatch]) -> Appended:
        now = self.access.rows(db, "now")[0][0]
        stored, fenced = 0, set()
        for batch in batches:
            writer = self._writer(db, batch)
            if writer is None:
                fenced.add(batch.session_id)
            else:
                stored += self._insert(db, batch, writer, now)
                self._move_head(db, batch, now)
        return Appended(stored, frozenset(fenced))

    def _writer(self, db: apsw.Connection, batch: EventBatch) -> str | None:
        """The user in whose name this batch may be written; None = fenced."""
        fence, reserve = batch.fence, batch.reserve_to or 0
        if fence is not None and not self.access.at(db, "fence_holds", fence.task_id, fence.attempt):
            return None
        rows = self.access.at(db, "writer_holds", batch.session_id, batch.term, batch.last_id, reserve)
        return str(rows[0][0]) if rows else None

    def _insert(self, db: apsw.Connection, batch: EventBatch, user_id: str, now: float) -> int:
        before = db.total_changes()
        session_id, events = batch.session_id, zip(batch.event_ids, batch.payloads, strict=True)
        rows = [(session_id, event_id, user_id, payload, now) for event_id, payload in events]
        db.executemany(self.access.sql["insert_event"], rows)
        if db.total_changes() - before < len(rows):
            self._check_repeat(db, batch)
        return len(rows)

    def _check_repeat(self, db: apsw.Connection, batch: EventBatch) -> None:
        for event_id, payload in zip(batch.event_ids, batch.payloads, strict=True):
            if self.access.at(db, "event_payload", batch.session_id, event_id)[0][0] != payload:
                raise OffsetTakenError(batch.session_id, event_id)

    def _move_head(self, db: apsw.Connection, batch: EventBatch, now: float) -> None:
        for post_id in batch.posts:
            self.access.at(db, "delete_post", post_id, batch.session_id)
        if batch.closing:
            self.access.at(db, "close_stream", batch.session_id, batch.last_id, now)
            self._land_posts(db, batch.session_id)
        elif batch.reserve_to is not None:
            self.access.at(db, "reserve_events", batch.session_id, batch.reserve_to, now)

    def _land_posts(self, db: apsw.Connection, session_id: str) -> None:
        """Posts that came too late for the writer go behind its terminal event, in order."""
        for row in self.access.rows(db, "posts_of", session_ids=as_json([session_id])):
            self.access.at(db, "delete_post", row[0], session_id)
            self._append_to_closed(db, session_id, "", row[2])

    def _append_to_closed(self, db: apsw.Connection, session_id: str, user_id: str, payload: bytes) -> int:
        head = self.access.rows(db, "next_id_of_closed", session_id=session_id, user_id=user_id)[0]
        self.access.rows(db, "keep_stream_epoch", epoch=head[0])
        owner = self.access.rows(db, "stream_owner", session_id=session_id)[0][0]
        now = self.access.rows(db, "now")[0][0]
        self.access.at(db, "insert_event", session_id, head[1], owner, payload, now)
        return int(head[1])

    def say_last(
        self,
        db: apsw.Connection,
        session_id: str,
        tasks: Sequence[TaskRecord],
        words: LastWords | None,
        sparing: str,
    ) -> CancelledSession:
        """What is said of tasks that were cancelled; in the transaction that does so."""
        state = self.access.row(db, "stream_is_open", session_id=session_id)
        is_open = state is not None and bool(state[0])
        last_id = None
        last, others = said_of(tasks, words, sparing)
        if last is not None and not is_open:
            last_id = self._append_to_closed(db, session_id, tasks[0].user_id, last)
        for payload in others:
            if is_open:
                self.access.rows(db, "insert_post", session_id=session_id, payload=payload)
            else:
                self._append_to_closed(db, session_id, tasks[0].user_id, payload)
        return CancelledSession(tuple(tasks), state[1] if state is not None and is_open else None, last_id)

    def _settle(self, db: apsw.Connection, session_id: str, payload: bytes, term: int | None) -> int | None:
        row = self.access.row(db, "settle_stream", session_id=session_id, term=term)
        if row is None:
            return None
        now = self.access.rows(db, "now")[0][0]
        self.access.at(db, "insert_event", session_id, row[1], row[0], payload, now)
        self._land_posts(db, session_id)
        return int(row[1])

    def _post(self, db: apsw.Connection, session_id: str, user_id: str, payload: bytes) -> int | None:
        owner = self.access.row(db, "stream_owner", session_id=session_id)
        if owner is not None and owner[0] != user_id:
            raise UnknownSessionError(session_id)
        state = self.access.row(db, "stream_is_open", session_id=session_id)
        if state is not None and state[0]:
            self.access.rows(db, "insert_post", session_id=session_id, payload=payload)
            return None
        return self._append_to_closed(db, session_id, user_id, payload)

    def _head(self, db: apsw.Connection, session_id: str, user_id: str | None) -> Row | None:
        rows = self.access.at(db, "stream_head", session_id)
        if rows and user_id is not None and rows[0][1] != user_id:
            raise UnknownSessionError(session_id)
        return rows[0] if rows else None

    def _page(self, db: apsw.Connection, cursor: Cursor, limit: int, user_id: str | None) -> Page:
        head = self._head(db, cursor.session_id, user_id)
        if head is None:
            return Page(cursor.session_id, 0, (), 0, more=False, open=False)
        epoch, _, is_open, pruned_to, newest = head
        rows = self.access.at(db, "events_after", cursor.session_id, start_of(cursor, epoch), limit + 1)
        events = tuple(StoredEvent(*row) for row in rows[:limit])
        lost = loss_of(cursor, epoch, pruned_to)
        return Page(cursor.session_id, epoch, events, newest or pruned_to, len(rows) > limit, bool(is_open), lost)

    def _tail(self, db: apsw.Connection, session_id: str, limit: int, user_id: str | None) -> Page:
        head = self._head(db, session_id, user_id)
        if head is None:
            return Page(session_id, 0, (), 0, more=False, open=False)
        rows = self.access.at(db, "events_tail", session_id, limit)
        events = tuple(StoredEvent(*row) for row in reversed(rows))
        return Page(session_id, head[0], events, head[4] or head[3], more=False, open=bool(head[2]))

    def _prune(self, db: apsw.Connection, older_than_s: float, max_sessions: int, rows_each: int) -> int:
        gone = 0
        streams = self.access.rows(db, "aged_streams", older_than_s=older_than_s, max_sessions=max_sessions)
        for (session_id,) in streams:
            ids = self.access.rows(
                db, "prune_stream", session_id=session_id, older_than_s=older_than_s, max_rows=rows_each
            )
            top = max((row[0] for row in ids), default=0)
            self.access.rows(db, "mark_pruned", session_id=session_id, pruned_to=top)
            gone += len(ids)
        return gone


def forget_events(access: Access, db: apsw.Connection, session_id: str) -> None:
    """Everything that one session said; also part of deleting the session."""
    for name in ("forget_events", "forget_posts", "forget_stream"):
        access.rows(db, name, session_id=session_id)
