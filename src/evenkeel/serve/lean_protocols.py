"""uvicorn's protocols with less in their hands: thousands of connections wait at a time, and each frame counts.

What uvicorn holds for a WebSocket that waits includes an `asyncio.Queue` and an `asyncio.Event`, with five deques of 600
bytes between them, and the headers of both sides of the handshake. Here they are a list, a flag, and nothing. And a text
message becomes a frame (RFC 6455, section 5.2) in one step, where the state machine of `websockets` takes ten; what else
is sent and all that is received still goes through it.

Connections that are gone leave no cycles behind, whose memory would wait for the collector to look at everything.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.datastructures import Headers
from websockets.http11 import Request
from websockets.protocol import OPEN, Protocol

if TYPE_CHECKING:
    from uvicorn._types import ASGIReceiveEvent, ASGISendEvent

TEXT = 0x81
"""The first byte of a text message in one frame."""
SHORT, MIDDLE = 126, 1 << 16
BEFORE_1_1 = frozenset({"0.9", "1.0"})
HEAD_BYTES, HEAD_S = 65_536, 30.0
"""The largest head of a request, one read more or less, and how long it may take; idle connections wait by another limit."""


class Inbox:
    """What one task reads, one message after the other: the part of `asyncio.Queue` that is used. uvicorn stops reading
    from the network while a message waits, which bounds it.
    """

    __slots__ = ("_items", "_waiting")

    def __init__(self) -> None:
        self._items: list[ASGIReceiveEvent] = []
        self._waiting: asyncio.Future[None] | None = None

    def put_nowait(self, item: ASGIReceiveEvent) -> None:
        """Add one."""
        self._items.append(item)
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    def empty(self) -> bool:
        """Nothing waits."""
        return not self._items

    async def get(self) -> ASGIReceiveEvent:
        """The next, in order. One caller at a time."""
        while not self._items:
            self._waiting = asyncio.get_running_loop().create_future()
            try:
                await self._waiting
            finally:
                self._waiting = None
        return self._items.pop(0)


class Gate:
    """Open or closed: the part of `asyncio.Event` that is used."""

    __slots__ = ("_waiting", "is_open")

    def __init__(self) -> None:
        self.is_open = True
        self._waiting: list[asyncio.Future[None]] = []

    def set(self) -> None:
        """Open it; whoever waits goes on."""
        self.is_open = True
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            if not each.done():
                each.set_result(None)

    def clear(self) -> None:
        """Close it."""
        self.is_open = False

    async def wait(self) -> None:
        """Until it is open."""
        while not self.is_open:
            waiting = asyncio.get_running_loop().create_future()
            self._waiting.append(waiting)
            await waiting


class UnchunkedCycle(RequestResponseCycle):
    """An answer to a client of before HTTP/1.1, which knows nothing of chunks: a body whose size is not known when it begins
    ends with the connection (RFC 9112, section 6.3).
    """

    _unsized = False

    async def send(self, message: ASGISendEvent) -> None:
        """See ASGI."""
        if message["type"] == "http.response.start":
            self._unsized = all(name.lower() != b"content-length" for name, _ in message.get("headers", ()))
            if self._unsized:
                self.chunked_encoding = False
        elif message["type"] == "http.response.body" and self._unsized:
            self.expected_content_length = len(message.get("body", b""))  # what is sent now is what is expected now
        await super().send(message)


class LeanHttp(HttpToolsProtocol):
    """HTTP; see the module. The head of a request (its line and headers) is bounded in size and time, which neither
    uvicorn nor httptools sees to: whoever has not said who they are yet must not hold memory.
    """

    _head: int | None = 0  # bytes of it that came in earlier reads; None = it is whole
    _head_due: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """See asyncio."""
        super().connection_made(transport)
        self._await_head()

    def data_received(self, data: bytes) -> None:
        """See asyncio."""
        if self._head is not None:
            if self._head > HEAD_BYTES:
                self._refuse(
                    431, "Request Header Fields Too Large", f"A request's head has at most {HEAD_BYTES} bytes."
                )
                return
            self._head += len(data)
        super().data_received(data)

    def on_message_begin(self) -> None:
        """See httptools. A second request on the connection begins in the middle of a read."""
        super().on_message_begin()
        if self._head is None:
            self._await_head()

    def on_headers_complete(self) -> None:
        """See httptools."""
        self._forget_head()
        super().on_headers_complete()
        if self.scope["http_version"] in BEFORE_1_1:
            self.cycle.__class__ = UnchunkedCycle
            self.cycle.waiting_for_100_continue = False  # such a client would take "100 Continue" for its answer

    def _should_upgrade(self) -> bool:
        """An old client cannot become a WebSocket: RFC 9110, section 7.8."""
        return self.parser.get_http_version() not in BEFORE_1_1 and super()._should_upgrade()

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio. A response that is still made knows its connection; that need not know it any more."""
        self._forget_head()
        super().connection_lost(exc)
        self.cycle = None  # type: ignore[assignment]

    def _await_head(self) -> None:
        self._head = 0
        self._head_due = self.loop.call_later(HEAD_S, self._head_is_late)

    def _forget_head(self) -> None:
        self._head = None
        if self._head_due is not None:
            self._head_due.cancel()
            self._head_due = None

    def _head_is_late(self) -> None:
        self._head_due = None
        self._refuse(408, "Request Timeout", f"No whole request came within {HEAD_S:.0f} seconds.")

    def _refuse(self, status: int, reason: str, why: str) -> None:
        """Answer without the application, and hang up."""
        head = f"HTTP/1.1 {status} {reason}\r\ncontent-type: text/plain\r\ncontent-length: {len(why)}"
        self.transport.write(f"{head}\r\nconnection: close\r\n\r\n{why}".encode())
        self.transport.close()

    def handle_websocket_upgrade(self) -> None:
        """See uvicorn. The connection has another protocol from now on, which is told what was read of the request."""
        if not self.url.isascii():
            self.send_400_response("The address is not ASCII.")
            return
        self.connections.discard(self)
        headers = Headers()
        for name, value in self.headers:
            headers[name.decode("ascii")] = value.decode("latin-1")
        request = Request(self.url.decode("ascii"), headers, self.scope["method"])
        socket = LeanSocket(
            config=self.config, server_state=self.server_state, app_state=self.app_state, _loop=self.loop
        )
        socket.upgraded(self, request)
        self.transport.set_protocol(socket)
        self.parser = None  # type: ignore[assignment]


class LeanSocket(WebSocketsSansIOProtocol):
    """A WebSocket; see the module."""

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self.queue = Inbox()  # type: ignore[assignment]
        self._gate = Gate()
        self.writable = self._gate  # type: ignore[assignment]

    def upgraded(self, http: LeanHttp, request: Request) -> None:
        """Take a connection over from HTTP, with the request that asked for it: neither is found out a second time."""
        self.connections.add(self)
        self.transport, self.server, self.client = http.transport, http.server, http.client
        self.scheme = "wss" if http.scheme == "https" else "ws"
        self.conn.parser.close()
        self.conn.parser = Protocol.parse(self.conn)
        next(self.conn.parser)
        self.handle_connect(request)

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio."""
        super().connection_lost(exc)
        self.conn.parser.close()  # a generator whose frame refers to what refers to it

    async def send(self, message: ASGISendEvent) -> None:
        """See ASGI."""
        text = message.get("text") if message["type"] == "websocket.send" else None
        if text is None or not self.handshake_complete:
            await super().send(message)
            if message["type"] == "websocket.accept":
                self.request.headers.clear()
                self.response.headers.clear()
            return
        await self._gate.wait()
        if self.disconnected or self.close_sent or self.conn.state is not OPEN:
            raise ClientDisconnected
        self.transport.write(framed(str(text).encode()))


def framed(data: bytes) -> bytes:
    """A text message of this UTF-8 as one frame of a server, which masks nothing."""
    size = len(data)
    if size < SHORT:
        return bytes((TEXT, size)) + data
    if size < MIDDLE:
        return bytes((TEXT, SHORT)) + size.to_bytes(2) + data
    return bytes((TEXT, SHORT + 1)) + size.to_bytes(8) + data
