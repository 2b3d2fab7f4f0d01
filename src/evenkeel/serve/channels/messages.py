"""What comes in from a channel and what goes out, in the API's own form (`serve` contract, section 6)."""

from __future__ import annotations

from typing import Any

import msgspec


class Peer(msgspec.Struct, frozen=True):
    """The conversation: a person, a group, a channel."""

    kind: str
    id: str
    name: str | None = None


class Thread(msgspec.Struct, frozen=True):
    """A thread within a conversation."""

    id: str
    topic: str | None = None


class Sender(msgspec.Struct, frozen=True):
    """Who wrote."""

    id: str
    name: str | None = None


class ChannelAttachment(msgspec.Struct, frozen=True):
    """Something that came along; `url` may be a provider's key."""

    kind: str
    url: str
    mime: str | None = None
    size: int | None = None
    name: str | None = None


class Location(msgspec.Struct, frozen=True):
    """A place."""

    lat: float
    lng: float
    address: str | None = None


class ChannelMessage(msgspec.Struct, frozen=True):
    """One inbound message. `channel` and `account_id` may come empty; the path and the header fill them."""

    channel: str
    account_id: str
    peer: Peer
    type: str
    thread: Thread | None = None
    message_id: str | None = None
    sender: Sender | None = None
    text: str | None = None
    attachments: tuple[ChannelAttachment, ...] = ()
    location: Location | None = None
    ts: float | None = None
    meta: Any = None

    @property
    def question(self) -> str:
        """What the agent is asked: the text, or a word for what came instead of one."""
        if self.text and self.text.strip():
            return self.text.strip()
        if self.location is not None:
            return f"[location {self.location.lat}, {self.location.lng}] {self.location.address or ''}".strip()
        return " ".join(f"[{each.kind}] {each.url}" for each in self.attachments).strip()


class Outbound(msgspec.Struct, frozen=True):
    """One message to send. `meta` holds session_id and the id of the message that is answered."""

    channel: str
    account_id: str
    peer: Peer
    thread: Thread | None = None
    text: str = ""
    attachments: tuple[ChannelAttachment, ...] = ()
    meta: dict[str, Any] = {}


class ReplyTo(msgspec.Struct, frozen=True):
    """Where a run's answer goes; carried by the run's request, so it outlives the process that took the message."""

    channel: str
    account_id: str
    peer: Peer
    thread: Thread | None = None
    message_id: str = ""


def reply(to: ReplyTo, session_id: str, text: str) -> Outbound:
    """An answer in words."""
    meta = {"session_id": session_id, "binding_id": None, "message_id": to.message_id or None, "media": None}
    return Outbound(to.channel, to.account_id, to.peer, to.thread, text, meta=meta)
