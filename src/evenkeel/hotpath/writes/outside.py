"""What is said in a session by someone who is not its run. The same on both paths."""

from __future__ import annotations

from dataclasses import dataclass

from evenkeel.hotpath.ports.bus import Event
from evenkeel.hotpath.ports.event_writer import Draft
from evenkeel.hotpath.ports.stream_events import StoredEvent, StreamEvents
from evenkeel.hotpath.ports.wakeups import Channel, Wakeups
from evenkeel.hotpath.writes.rules import WriterRules


@dataclass(frozen=True, slots=True)
class Outside:
    """Storage numbers these events; buses are woken to read them, in this process too, so that order is storage's."""

    rules: WriterRules
    events: StreamEvents
    wakeups: Wakeups

    async def say(self, session_id: str, user_id: str, draft: Draft) -> Event | None:
        """See `EventWriter.say`."""
        stored = self._sealed(session_id, draft)
        event_id = await self.events.post(session_id, user_id, stored)
        if event_id is None:
            self.wakeups.wake(Channel.POSTS, session_id, at_once=True)
            return None
        return self._told(session_id, event_id, stored)

    async def settle(self, session_id: str, draft: Draft, term: int | None) -> Event | None:
        """See `EventWriter.settle`."""
        stored = self._sealed(session_id, draft)
        event_id = await self.events.settle(session_id, stored, term=term)
        return None if event_id is None else self._told(session_id, event_id, stored)

    def _sealed(self, session_id: str, draft: Draft) -> bytes:
        envelope = self.rules.envelope
        body = envelope.body(draft.kind, draft.data)
        return envelope.sealed(session_id, draft.kind, body, self.rules.clock.wall_s())

    def _told(self, session_id: str, event_id: int, stored: bytes) -> Event:
        self.wakeups.wake(Channel.EVENTS, session_id)
        return self.rules.envelope.opened(session_id, 0, StoredEvent(event_id, stored, 0.0))
