"""What comes in from a channel and what goes out, in the API's own form (`serve` contract, section 6)."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from evenkeel.serve.ports.documents import says


class Peer(msgspec.Struct, frozen=True):
    """The conversation: a person, a group, a channel."""

    kind: Annotated[str, says("`user`, `group`, …")]
    id: Annotated[str, says("The channel's own id")]
    name: Annotated[str | None, says("For people")] = None


class Thread(msgspec.Struct, frozen=True):
    """A thread within a conversation."""

    id: Annotated[str, says("The channel's own id")]
    topic: Annotated[str | None, says("For people")] = None


class Sender(msgspec.Struct, frozen=True):
    """Who wrote."""

    id: Annotated[str, says("The channel's own id")]
    name: Annotated[str | None, says("For people")] = None


class ChannelAttachment(msgspec.Struct, frozen=True):
    """Something that came along; `url` may be a provider's key."""

    kind: Annotated[str, says("`image`, `file`, …")]
    url: Annotated[str, says("Where it is, or a provider's key")]
    mime: Annotated[str | None, says("Its type")] = None
    size: Annotated[int | None, says("Bytes")] = None
    name: Annotated[str | None, says("For people")] = None


class Location(msgspec.Struct, frozen=True):
    """A place."""

    lat: Annotated[float, says("Degrees")]
    lng: Annotated[float, says("Degrees")]
    address: Annotated[str | None, says("For people")] = None


class ChannelMessage(msgspec.Struct, frozen=True):
    """One inbound message. `channel` and `account_id` may come empty; the path and the header fill them."""

    channel: Annotated[str, says("The channel; empty = the path's")]
    account_id: Annotated[str, says("The account; empty = the one that is named, or the only one")]
    peer: Annotated[Peer, says("The conversation")]
    type: Annotated[str, says("`text`, `image`, …")]
    thread: Annotated[Thread | None, says("Within the conversation")] = None
    message_id: Annotated[str | None, says("A repeat within 120 s is taken once")] = None
    sender: Annotated[Sender | None, says("Who wrote")] = None
    text: Annotated[str | None, says("What was written")] = None
    attachments: Annotated[tuple[ChannelAttachment, ...], says("What came along")] = ()
    location: Annotated[Location | None, says("A place")] = None
    ts: Annotated[float | None, says("Unix time, seconds")] = None
    meta: Annotated[Any, says("Is kept, and means nothing here")] = None

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
