"""Numbers and encodes what a run says. Both paths write with it, so both write the same rows."""

from __future__ import annotations

from evenkeel.hotpath.ports.bus import Event
from evenkeel.hotpath.ports.errors import FencedError, OversizedError
from evenkeel.hotpath.ports.event_writer import Draft
from evenkeel.hotpath.ports.stream_events import RESERVE_AHEAD, EventBatch, Post, StoredEvent, StreamHead, TaskFence
from evenkeel.hotpath.writes.rules import WriterRules
from evenkeel.kernel.errors import EvenkeelError, UsageError


class Pen:
    """One run's place in its session's stream. `ended` = its terminal event has an id; `shut` = it was closed without
    one; `broken` = why nothing of it can be stored any more.
    """

    __slots__ = ("broken", "ended", "fence", "head", "next_id", "post_id", "reserved_to", "rules", "shut", "user_id")

    def __init__(self, rules: WriterRules, head: StreamHead, user_id: str, fence: TaskFence | None) -> None:
        self.rules, self.head, self.user_id, self.fence = rules, head, user_id, fence
        self.next_id = head.next_id
        self.reserved_to = head.reserved_to
        self.post_id = 0  # the highest post taken in; of one session they come in order
        self.ended = self.shut = False
        self.broken: EvenkeelError | None = None

    @property
    def last_id(self) -> int:
        """The highest id handed out, or the one before the first."""
        return self.next_id - 1

    def check(self) -> None:
        """Raise why this run may say nothing more."""
        if self.broken is not None:
            raise self.broken
        if self.ended or self.shut:
            raise FencedError(f"The stream of session {self.head.session_id!r}")

    def supersede(self) -> None:
        """Another run has the session."""
        self.broken = self.broken or FencedError(f"The stream of session {self.head.session_id!r}")

    def body(self, draft: Draft) -> bytes:
        """The data, encoded. Raises `UnencodableError`, `OversizedError`, `UsageError`; nothing has happened then."""
        if draft.terminal != self.rules.envelope.is_terminal(draft.kind):
            raise UsageError(
                f"An event {draft.kind!r} with terminal={draft.terminal}.",
                hint="Replay tells terminal events by their kind; see Envelope.is_terminal.",
            )
        body = self.rules.envelope.body(draft.kind, draft.data)
        if len(body) + 1024 > self.rules.event_bytes:
            raise OversizedError("An event", len(body), self.rules.event_bytes - 1024)
        return body

    def write(self, draft: Draft, body: bytes) -> tuple[Event, bytes]:
        """Give the next id; answers the event and its stored form."""
        self.check()
        session_id, event_id = self.head.session_id, self.next_id
        envelope = self.rules.envelope
        stored = envelope.sealed(session_id, draft.kind, body, self.rules.clock.wall_s())
        self.next_id = event_id + 1
        self.ended = draft.terminal
        wire = envelope.numbered(event_id, stored)
        return Event(session_id, event_id, draft.kind, wire, draft.stored, draft.terminal, self.head.epoch), stored

    def take(self, post: Post) -> Event | None:
        """Give a post the next id; None if it was taken already, or comes too late (storage lands it)."""
        if self.ended or self.shut or self.broken is not None or post.post_id <= self.post_id:
            return None
        event_id, self.post_id = self.next_id, post.post_id
        self.next_id = event_id + 1
        stored = StoredEvent(event_id, post.payload, 0.0)
        return self.rules.envelope.opened(self.head.session_id, self.head.epoch, stored)

    def batch(self, ids: list[int], payloads: list[bytes], posts: list[int]) -> EventBatch:
        """What to append, up to everything numbered so far; moves the reservation when half of it is used."""
        last_id = self.last_id
        reserve_to = None
        if not self.ended and self.reserved_to - last_id < RESERVE_AHEAD // 2:
            reserve_to = last_id + RESERVE_AHEAD
        return EventBatch(
            self.head.session_id,
            self.user_id,
            self.head.term,
            ids,
            payloads,
            last_id,
            reserve_to=reserve_to,
            closing=self.ended,
            fence=self.fence,
            posts=posts,
        )

    def stored(self, batch: EventBatch) -> None:
        """The batch is durable, and with it its reservation."""
        self.reserved_to = max(self.reserved_to, batch.reserve_to or 0)
