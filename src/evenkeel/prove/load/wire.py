"""HTTP/1.1 on a bare asyncio protocol, as much of it as the simulator needs: keep-alive, bodies with a length, chunks out."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import cast
from urllib.parse import parse_qsl

MAX_BODY = 16 * 1024 * 1024
REASONS = {200: b"OK", 400: b"Bad Request", 404: b"Not Found", 413: b"Too Large", 429: b"Too Many Requests"}


@dataclass(frozen=True, slots=True)
class Incoming:
    """One request, and where its answer goes."""

    method: str
    path: str
    query: dict[str, str]
    body: bytes
    reply: Reply


class Reply:
    """Writes one answer. Raises ConnectionError once the other side has hung up."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._gone = asyncio.Event()
        self._sleeper: asyncio.Future[None] | None = None
        self._loop = asyncio.get_running_loop()

    def lost(self) -> None:
        """The other side hung up: whoever sleeps here wakes up."""
        self._gone.set()
        if self._sleeper is not None:
            _wake(self._sleeper)

    def whole(self, status: int, body: bytes, headers: tuple[tuple[bytes, bytes], ...] = ()) -> None:
        """An answer of known length, as JSON."""
        extra = b"".join(b"%s: %s\r\n" % pair for pair in headers)
        self._write(
            b"HTTP/1.1 %d %s\r\ncontent-type: application/json\r\n%scontent-length: %d\r\n\r\n"
            % (status, REASONS.get(status, b"Error"), extra, len(body))
            + body
        )

    def begin(self, status: int, kind: bytes) -> None:
        """The head of an answer in chunks."""
        self._write(
            b"HTTP/1.1 %d %s\r\ncontent-type: %s\r\ncache-control: no-cache\r\ntransfer-encoding: chunked\r\n\r\n"
            % (status, REASONS.get(status, b"Error"), kind)
        )

    def part(self, data: bytes) -> None:
        """One chunk."""
        self._write(b"%x\r\n%s\r\n" % (len(data), data))

    def end(self) -> None:
        """The last chunk."""
        self._write(b"0\r\n\r\n")

    def cut(self) -> None:
        """Break off without an end."""
        self._transport.abort()

    async def until_time(self, when: float) -> None:
        """Sleep until this time of the loop."""
        if not self._gone.is_set():
            self._sleeper = self._loop.create_future()
            handle = self._loop.call_at(when, _wake, self._sleeper)
            try:
                await self._sleeper
            finally:
                handle.cancel()
                self._sleeper = None
        if self._gone.is_set():
            raise ConnectionResetError

    async def until(self, what: Awaitable[object]) -> None:
        """Wait for this or for the other side to hang up, whichever comes first."""
        tasks = [asyncio.ensure_future(what), asyncio.ensure_future(self._gone.wait())]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
        if self._gone.is_set():
            raise ConnectionResetError

    def _write(self, data: bytes) -> None:
        if self._gone.is_set():
            raise ConnectionResetError
        self._transport.write(data)


def _wake(waiting: asyncio.Future[None]) -> None:
    if not waiting.done():
        waiting.set_result(None)


class HttpProtocol(asyncio.Protocol):
    """Reads requests of one connection and hands them on, one after the other."""

    def __init__(self, handle: Callable[[Incoming], Awaitable[None]]) -> None:
        self._handle = handle
        self._buffer = b""
        self._reply: Reply | None = None
        self._transport: asyncio.Transport | None = None
        self._task: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's own class is not registered as one

    def connection_lost(self, _exc: Exception | None) -> None:
        """See asyncio."""
        self._transport = None
        if self._reply is not None:
            self._reply.lost()

    def data_received(self, data: bytes) -> None:
        """See asyncio."""
        self._buffer += data
        self._next()

    def _next(self) -> None:
        if self._task is not None or self._transport is None:
            return
        head, found, rest = self._buffer.partition(b"\r\n\r\n")
        if not found:
            return
        lines = head.split(b"\r\n")
        length = next((int(line[15:]) for line in lines if line[:15].lower() == b"content-length:"), 0)
        reply = self._reply = Reply(self._transport)
        if length > MAX_BODY:
            reply.whole(413, b"{}")
            self._transport.close()
            return
        if len(rest) < length:
            return
        self._buffer = rest[length:]
        method, target, _ = lines[0].decode("latin-1").split(" ", 2)
        path, _, query = target.partition("?")
        incoming = Incoming(method, path, dict(parse_qsl(query)), rest[:length], reply)
        self._task = asyncio.ensure_future(self._run(incoming))

    async def _run(self, incoming: Incoming) -> None:
        try:
            await self._handle(incoming)
        finally:
            self._task = None
            if self._transport is not None:
                asyncio.get_running_loop().call_soon(self._next)
