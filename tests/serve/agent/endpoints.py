"""An endpoint with `/chat/completions` for tests: plain HTTP/1.1, every byte under the test's control."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Asked:
    """A request as it came."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]


@dataclass
class Endpoint:
    """`answers` are used one after the other, the last for ever. `closed` is set when a client hung up on an answer."""

    answers: list[Callable[[asyncio.StreamWriter], Awaitable[None]]]
    asked: list[Asked] = field(default_factory=list)
    closed: asyncio.Event = field(default_factory=asyncio.Event)
    port: int = 0
    connections: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
                headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
                body = json.loads(await reader.readexactly(int(headers.get("content-length", "0"))))
                self.asked.append(Asked(head[0].split()[1], headers, body))
                answer = self.answers[min(len(self.asked), len(self.answers)) - 1]
                if not await self._answered(answer, reader, writer):
                    return
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            self.closed.set()
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    async def _answered(
        self,
        answer: Callable[[asyncio.StreamWriter], Awaitable[None]],
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> bool:
        """False = the client hung up meanwhile."""
        work = asyncio.ensure_future(answer(writer))
        while not work.done():
            await asyncio.wait([work], timeout=0.02)
            if reader.at_eof() or reader.exception() is not None:
                work.cancel()
                self.closed.set()
                return False
        work.result()
        return True


@asynccontextmanager
async def endpoint(*answers: Callable[[asyncio.StreamWriter], Awaitable[None]]) -> AsyncIterator[Endpoint]:
    opened = Endpoint(list(answers))
    server = await asyncio.start_server(opened.serve, "127.0.0.1", 0)
    opened.port = server.sockets[0].getsockname()[1]
    try:
        yield opened
    finally:
        server.close()


def chunk(**delta: Any) -> bytes:
    return b"data: " + json.dumps({"choices": [{"index": 0, "delta": delta}]}).encode() + b"\n\n"


USAGE = b'data: {"choices":[],"usage":{"prompt_tokens":11,"completion_tokens":4,"total_tokens":15}}\n\n'
DONE = b"data: [DONE]\n\n"
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


def framed(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def streamed(*parts: bytes | asyncio.Event, end: bool = True) -> Callable[[asyncio.StreamWriter], Awaitable[None]]:
    """An event stream in exactly these network writes; an event is waited for."""

    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(HEAD)
        for part in parts:
            if isinstance(part, asyncio.Event):
                await part.wait()
                continue
            writer.write(framed(part))
            await writer.drain()
            await asyncio.sleep(0.005)
        if end:
            writer.write(b"0\r\n\r\n")
        else:
            writer.close()

    return answer


def plain(status: int, body: object, headers: Sequence[str] = ()) -> Callable[[asyncio.StreamWriter], Awaitable[None]]:
    """An answer that is no stream."""

    async def answer(writer: asyncio.StreamWriter) -> None:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        lines = [f"HTTP/1.1 {status} X", f"content-length: {len(data)}", *headers]
        writer.write(("\r\n".join(lines) + "\r\n\r\n").encode() + data)

    return answer


async def silent(writer: asyncio.StreamWriter) -> None:
    """Takes the request and never answers."""
    await asyncio.sleep(3_600)
