"""Stream events on PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, groupby

from evenkeel.hotpath.ports.agent_tasks import CancelledSession, LastWords, TaskRecord
from evenkeel.hotpath.ports.errors import (
    FencedError,
    OffsetTakenError,
    StoppedError,
    StorageUnavailableError,
    UnknownSessionError,
)
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
from evenkeel.hotpath.storage.postgres.access import Access
from evenkeel.hotpath.storage.postgres.connections import Connection
from evenkeel.hotpath.storage.rows import Row, loss_of, said_of

POST_TRIES = 10


@dataclass(frozen=True, slots=True)
class PostgresEvents:
    """`StreamEvents`."""

    access: Access

    async def open(self, session_id: str, user_id: str, *, fence: TaskFence | None = None) -> StreamHead:
        """See the port."""
        check_ids(self.access.settings.bounds.id_bytes, session_id, user_id)
        held = (None, None) if fence is None else (fence.task_id, fence.attempt)
        row = await self.access.row("open_stream", self.access.now(), session_id, user_id, RESERVE_AHEAD, *held)
        if row is not None:
            epoch, term, reserved_to = row
            return StreamHead(session_id, epoch, term, reserved_to - RESERVE_AHEAD + 1, reserved_to)
        await self._check_owner(session_id, user_id)
        stopped = fence is not None and await self.access.rows("told_to_stop", *held)
        raise (StoppedError if stopped else FencedError)(f"Task {held[0]!r}, attempt {held[1]},")

    async def append(self, batches: Sequence[EventBatch]) -> Appended:
        """See the port."""
        for batch in batches:
            check_payloads("An event", batch.payloads, self.access.settings.bounds.event_bytes)
        done = await self.access.run.run("append_events", lambda db: self._append(db, batches))
        await self._land_posts([batch.session_id for batch in batches if batch.closing])
        self.access.meter.wrote("stream_events", done.stored)
        self.access.meter.rejected("event", len(done.fenced))
        return done

    async def settle(self, session_id: str, payload: bytes, *, term: int | None = None) -> int | None:
        """See the port."""
        check_payload("An event", payload, self.access.settings.bounds.event_bytes)
        row = await self.access.row("settle_stream", self.access.now(), session_id, payload, term)
        await self._land_posts([session_id] if row else [])
        return None if row is None else int(row[0])

    async def post(self, session_id: str, user_id: str, payload: bytes) -> int | None:
        """See the port."""
        check_ids(self.access.settings.bounds.id_bytes, session_id, user_id)
        check_payload("An event", payload, self.access.settings.bounds.event_bytes)
        values = (session_id, user_id, payload)
        for _ in range(POST_TRIES):  # a run may open or close between the two statements
            if rows := await self.access.rows("post_to_closed", self.access.now(), *values, call="post_event"):
                return int(rows[0][0])
            if await self.access.rows("post_to_open", self.access.now(), *values, call="post_event"):
                return None
            await self._check_owner(session_id, user_id)
        raise StorageUnavailableError(f"session {session_id!r} opens and closes faster than a post can follow")

    async def posts(self, session_ids: Sequence[str]) -> list[Post]:
        """See the port."""
        rows = await self.access.rows("posts_of", list(session_ids))
        return [Post(*row) for row in rows]

    async def read(self, cursor: Cursor, *, limit: int = 500, user_id: str | None = None) -> Page:
        """See the port."""
        pages = await self._read([cursor], limit, alone=True)
        page, owner = pages.get(cursor.session_id, (_nothing(cursor.session_id), user_id))
        if user_id is not None and owner != user_id:
            raise UnknownSessionError(cursor.session_id)
        return page

    async def read_tail(self, session_id: str, *, limit: int = 500, user_id: str | None = None) -> Page:
        """See the port."""
        check_ids(self.access.settings.bounds.id_bytes, session_id)
        rows = await self.access.rows("read_tail", session_id, limit)
        if not rows:
            return _nothing(session_id)
        if user_id is not None and rows[0][2] != user_id:
            raise UnknownSessionError(session_id)
        return _page(Cursor(session_id, rows[0][4]), rows, limit)

    async def read_many(self, cursors: Sequence[Cursor], *, limit_each: int = 200) -> dict[str, Page]:
        """See the port."""
        pages = await self._read(cursors, limit_each, alone=False)
        return {session_id: page for session_id, (page, _) in pages.items()}

    async def forget(self, session_id: str) -> None:
        """See the port."""

        async def forget(db: Connection) -> None:
            async with db.transaction():
                await forget_events(self.access, db, session_id)

        await self.access.run.run("forget_stream", forget)

    async def prune(self, older_than_s: float, *, max_sessions: int = 50, max_rows: int = 5000) -> int:
        """See the port."""
        values = (self.access.now(), older_than_s, max_sessions, max_rows // max_sessions)
        return int((await self.access.rows("prune_events", *values))[0][0])

    async def say_last(
        self, db: Connection, session_id: str, tasks: Sequence[TaskRecord], words: LastWords | None, sparing: str
    ) -> CancelledSession:
        """What is said of tasks that were cancelled; in the transaction that does so. Holding the head, so that the stream
        stays open or closed meanwhile.
        """
        head = await self.access.on(db, "hold_head", session_id)
        is_open = bool(head and head[0][1])
        last_id = None
        last, others = said_of(tasks, words, sparing)
        if last is not None and not is_open:
            last_id = await self._posted(db, session_id, head[0][0] if head else tasks[0].user_id, last)
        for payload in others:
            # evenkeel: ignore[n-plus-one] what waits in the line of one session, which one user has put there: few
            await self._posted(db, session_id, head[0][0] if head else tasks[0].user_id, payload)
        return CancelledSession(tuple(tasks), head[0][2] if is_open else None, last_id)

    async def _posted(self, db: Connection, session_id: str, user_id: str, payload: bytes) -> int | None:
        values = (self.access.now(), session_id, user_id, payload)
        if rows := await self.access.on(db, "post_to_closed", *values):
            return int(rows[0][0])
        await self.access.on(db, "post_to_open", *values)
        return None

    async def _append(self, db: Connection, batches: Sequence[EventBatch]) -> Appended:
        posts = [post_id for batch in batches for post_id in batch.posts]
        if not posts:
            return await self._append_once(db, batches)
        async with db.transaction():  # a post goes exactly when the batch that holds it is stored
            done = await self._append_once(db, batches)
            kept = [batch.session_id for batch in batches if batch.session_id not in done.fenced]
            await self.access.on(db, "delete_posts", posts, kept)
            return done

    async def _append_once(self, db: Connection, batches: Sequence[EventBatch]) -> Appended:
        rows = await self.access.on(db, "append_events", self.access.now(), *_columns(batches))
        accepted = set(rows[0][0])
        kept = [batch for n, batch in enumerate(batches, 1) if n in accepted]
        sent = sum(len(batch.event_ids) for batch in kept)
        if rows[0][1] < sent:
            await self._check_repeat(db, kept)
        fenced = frozenset(batch.session_id for n, batch in enumerate(batches, 1) if n not in accepted)
        return Appended(sent, fenced)

    async def _check_repeat(self, db: Connection, batches: Sequence[EventBatch]) -> None:
        sessions = [batch.session_id for batch in batches for _ in batch.event_ids]
        ids = list(chain.from_iterable(batch.event_ids for batch in batches))
        payloads = list(chain.from_iterable(batch.payloads for batch in batches))
        for session_id, event_id in await self.access.on(db, "conflicting_event", sessions, ids, payloads):
            raise OffsetTakenError(session_id, event_id)

    async def _land_posts(self, session_ids: list[str]) -> None:
        """Posts that came too late for their writer. Apart from the append: a crash here leaves them to the next
        run.
        """
        if session_ids:
            await self.access.rows("land_posts", self.access.now(), session_ids)

    async def _check_owner(self, session_id: str, user_id: str) -> None:
        owner = await self.access.row("stream_owner", session_id)
        if owner is not None and owner[0] != user_id:
            raise UnknownSessionError(session_id)

    async def _read(self, cursors: Sequence[Cursor], limit: int, *, alone: bool) -> dict[str, tuple[Page, str]]:
        """Pages and the users they belong to."""
        sessions = [cursor.session_id for cursor in cursors]
        check_ids(self.access.settings.bounds.id_bytes, *sessions)
        ids, epochs = [cursor.event_id for cursor in cursors], [cursor.epoch for cursor in cursors]
        rows = await self.access.rows("read_events", sessions, ids, epochs, limit + 1, alone)
        wanted = {cursor.session_id: cursor for cursor in cursors}
        found = {key: list(group) for key, group in groupby(rows, key=lambda row: str(row[0]))}
        return {key: (_page(wanted[key], group, limit), group[0][2]) for key, group in found.items()}


def _columns(batches: Sequence[EventBatch]) -> tuple[list[object], ...]:
    """The batches as columns, then their events as columns with the batch's number."""
    return (
        [batch.session_id for batch in batches],
        [batch.term for batch in batches],
        [batch.last_id for batch in batches],
        [batch.reserve_to for batch in batches],
        [batch.closing for batch in batches],
        [batch.fence.task_id if batch.fence else None for batch in batches],
        [batch.fence.attempt if batch.fence else None for batch in batches],
        [n for n, batch in enumerate(batches, 1) for _ in batch.event_ids],
        list(chain.from_iterable(batch.event_ids for batch in batches)),
        list(chain.from_iterable(batch.payloads for batch in batches)),
    )


def _page(cursor: Cursor, rows: Sequence[Row], limit: int) -> Page:
    """Rows of one session, in id order; a session without events has one row with empty event columns."""
    session_id, epoch, _, is_open, pruned_to, last_id = rows[0][:6]
    events = tuple(StoredEvent(*row[6:9]) for row in rows[:limit] if row[6] is not None)
    lost = loss_of(cursor, epoch, pruned_to)
    return Page(session_id, epoch, events, last_id or pruned_to, more=len(rows) > limit, open=is_open, lost=lost)


def _nothing(session_id: str) -> Page:
    return Page(session_id, 0, (), 0, more=False, open=False)


async def forget_events(access: Access, db: Connection, session_id: str) -> None:
    """Everything that one session said; also part of deleting the session."""
    for name in ("forget_events", "forget_posts", "forget_stream"):
        await access.on(db, name, session_id)
