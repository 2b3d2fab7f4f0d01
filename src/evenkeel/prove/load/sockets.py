"""A client of the chat WebSocket: thousands of them in one process, one session followed by each."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

import msgspec
from picows import WSCloseCode, WSError, WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

from evenkeel.kernel.errors import UnavailableError
from evenkeel.prove.measure.follow import Answer, Follow


class Payload(msgspec.Struct):
    """What an event or an error carries."""

    event: str = ""
    id: str | int | None = None
    data: msgspec.Raw = msgspec.Raw(b"null")
    code: str = ""
    message: str = ""


class Envelope(msgspec.Struct):
    """One message from the server."""

    type: str
    payload: Payload = msgspec.field(default_factory=Payload)
    session_id: str | None = None
    request_id: str | None = None


_ENVELOPE = msgspec.json.Decoder(Envelope)


@dataclass
class Socket:
    """One connection that follows one session. `ended` is told of each turn that ended here, `refused` of each error."""

    url: str
    token: str
    session: str
    follow: Follow = field(default_factory=Follow)
    clock: Callable[[], float] = time.monotonic
    ended: Callable[[Socket, Answer], None] | None = None
    refused: Callable[[str], None] | None = None
    delivered: int = 0
    errors: list[str] = field(default_factory=list)
    cuts: int = 0  # the server hung up
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    _transport: WSTransport | None = None
    _leaving: bool = False
    _resumed: bool = False  # a turn that was started here is followed by a stream of its own

    async def connect(self) -> None:
        """Open, and wait for `ready`. UnavailableError when refused."""
        self.ready.clear()
        self._leaving = False
        address = self.url.replace("http", "ws", 1) + "/wunder/chat/ws"
        try:
            await ws_connect(
                lambda: _Listener(self),
                address,
                extra_headers={"Authorization": f"Bearer {self.token}"},
                websocket_handshake_timeout=30,
                read_buffer_init_size=2048,
                use_aiofastnet=False,
            )
            await asyncio.wait_for(self.ready.wait(), 30)
        except (OSError, WSError, TimeoutError) as error:
            raise UnavailableError(f"No WebSocket to {address}: {type(error).__name__} {error}.") from error

    def watch(self) -> None:
        """Follow the session from the cursor on."""
        self._ask("watch", "watch", {"after_event_id": self.follow.cursor})

    def start(self, text: str, number: int) -> None:
        """Begin a turn; its events come on this connection."""
        self._ask("start", f"start-{number}", {"content": text, "stream": True})

    def stop_resuming(self) -> None:
        """The turn has ended: a stream that resumed it must not go on into the next one, which comes on its own."""
        if self._resumed:
            self._resumed = False
            self._ask("cancel", "resume", {})

    def _ask(self, kind: str, request: str, payload: dict[str, object]) -> None:
        self.send({"type": kind, "session_id": self.session, "request_id": request, "payload": payload})

    def resume(self) -> None:
        """After a reconnect: watch on from the cursor."""
        self.follow.back(self.clock())
        self.watch()

    def resume_turn(self) -> None:
        """After a reconnect in the middle of a turn that was started here: follow it to its end, not beyond."""
        self.follow.back(self.clock())
        self._resumed = True
        self._ask("resume", "resume", {"after_event_id": self.follow.cursor})

    def send(self, message: dict[str, object]) -> None:
        """Send one envelope; nothing when the connection is gone."""
        if self._transport is not None:
            self._transport.send(WSMsgType.TEXT, msgspec.json.encode(message))

    def drop(self) -> None:
        """Cut the connection without a word, as a lost network does."""
        self._leaving, self._resumed = True, False
        self.ready.clear()
        if self._transport is not None:
            self._transport.underlying_transport.abort()
            self._transport = None

    def close(self) -> None:
        """Leave politely."""
        self._leaving = True
        if self._transport is not None:
            with suppress(OSError, WSError):
                self._transport.send_close(WSCloseCode.OK)
                self._transport.disconnect()
            self._transport = None

    def received(self, raw: bytes | memoryview) -> None:
        """One message."""
        now = self.clock()
        envelope = _ENVELOPE.decode(raw)
        if envelope.type == "event":
            payload = envelope.payload
            self.delivered += 1
            number = int(payload.id) if payload.id is not None else None
            answer = self.follow.event(payload.event, number, memoryview(payload.data), now)
            if answer is not None and self.ended is not None:
                self.ended(self, answer)
        elif envelope.type == "ready":
            self.ready.set()
        elif envelope.type == "error":
            self.errors.append(f"{envelope.payload.code}: {envelope.payload.message}")
            if self.refused is not None:
                self.refused(envelope.payload.code)

    def opened(self, transport: WSTransport) -> None:
        """The connection is there; `ready` may come in the same segment."""
        self._transport = transport

    def lost(self) -> None:
        """The connection is gone."""
        if not self._leaving:
            self.cuts += 1
            self._transport = None


class _Listener(WSListener):
    def __init__(self, owner: Socket) -> None:
        super().__init__()
        self._owner = owner

    def on_ws_connected(self, transport: WSTransport) -> None:
        self._owner.opened(transport)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type == WSMsgType.TEXT:
            self._owner.received(frame.get_payload_as_memoryview())
        elif frame.msg_type == WSMsgType.CLOSE:
            transport.send_close(frame.get_close_code(), frame.get_close_message())
            transport.disconnect()

    def on_ws_disconnected(self, _transport: WSTransport) -> None:
        self._owner.lost()


async def connect_all(sockets: list[Socket], *, at_once: int = 100, told: Callable[[int], None] | None = None) -> None:
    """Open all of them, so many at a time."""
    gate = asyncio.Semaphore(at_once)
    done = 0

    async def one(each: Socket) -> None:
        nonlocal done
        async with gate:
            await each.connect()
        done += 1
        if told:
            told(done)

    await asyncio.gather(*(one(each) for each in sockets))
