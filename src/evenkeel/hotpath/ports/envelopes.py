"""The envelope: how an event looks in bytes, in storage and on the wire.

Stored form, without the id, since storage numbers some events itself (posts, settled terminals):
`{"event":"<kind>","data":{"session_id":…,"timestamp":…,"data":…}}`. Wire form: the same bytes with the id spliced in in
front, `{"id":"<id>","event":…}`, which is one copy and no second encoding. Writers and readers share this leaf.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Protocol

import msgspec

from evenkeel.hotpath.ports.bus import Event
from evenkeel.hotpath.ports.errors import UnencodableError
from evenkeel.hotpath.ports.stream_events import StoredEvent

_KIND_AT = len(b'{"event":"')


class Envelope(Protocol):
    """Bytes to events and back."""

    def body(self, kind: str, data: object) -> bytes:
        """The data alone, encoded. Raises `UnencodableError` for a lone surrogate or a value JSON has no form for."""
        ...

    def sealed(self, session_id: str, kind: str, body: bytes, at_s: float) -> bytes:
        """The stored form; `at_s` is Unix time."""
        ...

    def joined(self, bodies: Sequence[tuple[int, bytes]]) -> bytes:
        """One body that holds neighbouring deltas, each with its own id, in order."""
        ...

    def numbered(self, event_id: int, stored: bytes) -> bytes:
        """The wire form of a stored one."""
        ...

    def is_terminal(self, kind: str) -> bool:
        """Whether an event of this kind ends a term."""
        ...

    def opened(self, session_id: str, epoch: int, stored: StoredEvent) -> Event:
        """A stored event as readers get it."""
        ...


@dataclass(frozen=True, slots=True)
class JsonEnvelope:
    """`Envelope` in JSON. Kinds are plain ASCII words."""

    terminal_kinds: frozenset[str] = frozenset({"final", "error"})

    def body(self, kind: str, data: object) -> bytes:
        """See the port."""
        try:
            return msgspec.json.encode(data)
        except UnicodeEncodeError as error:
            raise UnencodableError(f"An event {kind!r}", f"a lone surrogate at position {error.start}") from None
        except TypeError as error:
            raise UnencodableError(f"An event {kind!r}", f"a value that JSON cannot express ({error})") from None

    def sealed(self, session_id: str, kind: str, body: bytes, at_s: float) -> bytes:
        """See the port."""
        return b'{"event":"%b","data":{"session_id":%b,"timestamp":"%b","data":%b}}' % (
            kind.encode(),
            msgspec.json.encode(session_id),
            _timestamp(at_s),
            body,
        )

    def joined(self, bodies: Sequence[tuple[int, bytes]]) -> bytes:
        """See the port. A body that is no object stands under `value`."""
        segments = b",".join([_segment(event_id, body) for event_id, body in bodies])
        return b'{"segments":[%b],"event_id_start":%d,"event_id_end":%d}' % (segments, bodies[0][0], bodies[-1][0])

    def numbered(self, event_id: int, stored: bytes) -> bytes:
        """See the port."""
        return b'{"id":"%d",%b' % (event_id, stored[1:])

    def is_terminal(self, kind: str) -> bool:
        """See the port."""
        return kind in self.terminal_kinds

    def opened(self, session_id: str, epoch: int, stored: StoredEvent) -> Event:
        """See the port."""
        payload = stored.payload
        kind = payload[_KIND_AT : payload.index(b'"', _KIND_AT)].decode() if payload.startswith(b'{"event":"') else ""
        wire = self.numbered(stored.event_id, payload)
        return Event(session_id, stored.event_id, kind, wire, terminal=self.is_terminal(kind), epoch=epoch)


def _segment(event_id: int, body: bytes) -> bytes:
    if body[:1] != b"{":
        return b'{"event_id":%d,"value":%b}' % (event_id, body)
    return b'{"event_id":%d%b%b' % (event_id, b"" if body == b"{}" else b",", body[1:])


def _timestamp(at_s: float) -> bytes:
    """RFC 3339 in local time, to the millisecond, as the API's clients know it."""
    return _millisecond(int(at_s * 1000))


@lru_cache(maxsize=4)
def _millisecond(at_ms: int) -> bytes:
    """Many events fall into one: formatting for every event costs more than the encoding."""
    before, after = _second(at_ms // 1000)
    return b"%b.%03d%b" % (before, at_ms % 1000, after)


@lru_cache(maxsize=4)
def _second(at_s: int) -> tuple[bytes, bytes]:
    """What stands before and after the fraction."""
    text = datetime.fromtimestamp(at_s).astimezone().isoformat().encode()
    return text[:19], text[19:]
