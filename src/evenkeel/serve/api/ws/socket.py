"""One WebSocket connection: reads messages in order, runs each stream beside the others.

A run belongs to its session: a connection that breaks ends its streams and nothing else. Only `cancel` cancels.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Protocol

from starlette.types import Receive, Scope, Send

from evenkeel.hotpath.ports.errors import UnknownSessionError
from evenkeel.kernel.errors import EvenkeelError, OverloadedError
from evenkeel.serve.api.desk import Desk
from evenkeel.serve.api.failures import failure_of, new_trace_id
from evenkeel.serve.api.frames import message
from evenkeel.serve.api.front import language_in
from evenkeel.serve.api.ws.messages import (
    Inbound,
    Place,
    SocketError,
    Version,
    optional_payload,
    read_message,
    session_of,
)
from evenkeel.serve.api.ws.outbound import CHANNEL, GoneError, Outbound
from evenkeel.serve.api.ws.streaming import Streaming, ready
from evenkeel.serve.ports.requests import RunRequest

LOG = logging.getLogger(__name__)
SERVICE_RESTART = 1012
POLICY = 1008


class Door(Protocol):
    """What tells the two addresses apart: who asks, and what a `start` looks like."""

    @property
    def caller(self) -> str:
        """Whose bounds this connection counts for."""
        ...

    @property
    def can_watch(self) -> bool: ...
    @property
    def foreign(self) -> str:
        """The code for a session of somebody else."""
        ...

    async def run(self, message: Inbound, language: str) -> RunRequest:
        """The run that a `start` asks for. Raises `SocketError`."""
        ...

    async def owner(self, place_: Place, /) -> str:
        """On behalf of which user sessions are read and cancelled. Raises `SocketError`."""
        ...


@dataclass(slots=True)
class Stream:
    """A request that is being answered."""

    task: asyncio.Task[None]
    kind: str
    streaming: Streaming


class Socket:
    """The loop of one connection. Thousands of them wait at a time: what each holds is counted in bytes."""

    __slots__ = (
        "_desk",
        "_door",
        "_language",
        "_out",
        "_receive",
        "_send",
        "_spoken",
        "_starting",
        "_stopping",
        "_streams",
        "_subprotocol",
    )

    def __init__(self, desk: Desk, door: Door, scope: Scope, receive: Receive, send: Send) -> None:
        settings = desk.settings
        self._desk = desk
        self._door = door
        self._receive = receive
        self._send = send
        self._language = language_in(scope)
        self._subprotocol = "wunder" if "wunder" in scope.get("subprotocols", ()) else None
        self._out = Outbound(send, desk.meter, capacity=settings.streams_per_socket, timeout_s=settings.send_timeout_s)
        self._streams: dict[str, Stream] = {}  # bounded by `streams_per_socket`
        self._starting: asyncio.Lock | None = None  # most only watch
        self._spoken = False
        self._stopping = False

    async def serve(self) -> None:
        """Until either side closes."""
        await self._receive()
        await self._send({"type": "websocket.accept", "subprotocol": self._subprotocol, "headers": []})
        with self._desk.streams.entered(CHANNEL, self._door.caller, self._stop):
            try:
                await self._say_ready("")
                await self._read()
            except GoneError:
                return
            finally:
                await self._end_streams()
                await self._out.close(1000)

    async def _read(self) -> None:
        while await self._read_one():  # what was read is gone while the next is waited for
            pass

    async def _read_one(self) -> bool:
        """Wait for a message and do what it asks; False = the connection has ended."""
        received = await self._receive()
        if received["type"] == "websocket.disconnect":
            self._out.closed = True
            return False
        request_id = ""
        try:
            inbound = read_message(received.get("text"))
            request_id = inbound.request_id or ""
            await self._handle(inbound, request_id)
        except EvenkeelError as error:
            await self._say_error(error, request_id)
            if isinstance(error, SocketError) and error.fatal:
                await self._out.close(POLICY, error.code)
                return False
        return True

    async def _handle(self, inbound: Inbound, request_id: str) -> None:
        if inbound.kind not in {"connect", "ping"}:
            self._spoken = True  # also where it cannot be followed: connect comes first
        handler = HANDLERS.get(inbound.kind)
        if handler is None or (inbound.kind == "watch" and not self._door.can_watch):
            raise SocketError("UNSUPPORTED_TYPE", f"There is no type {inbound.type[:80]!r} here.")
        await handler(self, inbound, request_id)

    # what clients ask for

    async def _connect(self, inbound: Inbound, request_id: str) -> None:
        if self._spoken:
            raise SocketError("ALREADY_CONNECTED", "connect comes first, and once.")
        optional_payload(inbound, Version).check()
        self._spoken = True
        await self._say_ready(request_id)

    async def _ping(self, _inbound: Inbound, _request_id: str) -> None:
        await self._out.put(message("pong", {"ts": int(time.time())}))

    async def _start(self, inbound: Inbound, request_id: str) -> None:
        self._refuse_while_stopping()
        run = await self._door.run(inbound, self._language)
        number = request_id or f"req_{secrets.token_hex(16)}"
        streaming = Streaming(self._desk, self._out, number, run.session_id, self._language)
        self._starting = self._starting or asyncio.Lock()
        self._open(number, "start", streaming, streaming.start(run, self._starting, self._door.foreign))

    async def _resume(self, inbound: Inbound, request_id: str) -> None:
        place = optional_payload(inbound, Place)
        session_id = await self._own_session(inbound, place)
        after_id = place.after_event_id
        if after_id is None or (after_id <= 0 and place.history != "all"):
            raise SocketError("AFTER_EVENT_ID_REQUIRED", "resume needs after_event_id above 0.")
        self._follow(session_id, place, request_id, "resume")

    async def _watch(self, inbound: Inbound, request_id: str) -> None:
        place = optional_payload(inbound, Place)
        session_id = await self._own_session(inbound, place)
        self._follow(session_id, place, request_id, "watch")

    def _follow(self, session_id: str, place: Place, request_id: str, kind: str) -> None:
        self._refuse_while_stopping()
        number = request_id or f"req_{secrets.token_hex(16)}"
        streaming = Streaming(self._desk, self._out, number, session_id, self._language)
        self._open(number, kind, streaming, streaming.follow(place, stays=kind == "watch"))

    async def _cancel(self, inbound: Inbound, request_id: str) -> None:
        if request_id:
            await self._cancel_stream(inbound, request_id)
            return
        place = optional_payload(inbound, Place)
        session_id = await self._own_session(inbound, place)
        for number in [key for key, each in self._streams.items() if each.streaming.session_id == session_id]:
            await _stopped(self._streams.pop(number).task)
        await self._desk.runs.cancel(session_id)

    async def _cancel_stream(self, inbound: Inbound, request_id: str) -> None:
        """One that has ended by itself is not looked for any further: what its session does now is another's."""
        stream = self._streams.pop(request_id, None)
        if stream is None:
            return
        await _stopped(stream.task)
        if stream.kind == "start":
            await self._cancel_session(stream.streaming.session_id, optional_payload(inbound, Place))

    async def _cancel_session(self, session_id: str, place: Place) -> None:
        """A start without a session has none to cancel until it was begun; then its stream knows it."""
        if session_id:
            await self._desk.parts.storage.sessions.get(session_id, await self._door.owner(place))
            await self._desk.runs.cancel(session_id)

    async def _own_session(self, inbound: Inbound, place: Place) -> str:
        session_id = session_of(inbound, place.session_id)
        if not session_id:
            raise SocketError("SESSION_REQUIRED", f"{inbound.kind} needs a session_id.")
        try:
            await self._desk.parts.storage.sessions.get(session_id, await self._door.owner(place))
        except UnknownSessionError as error:
            raise SocketError("SESSION_NOT_FOUND", error.message, hint=error.hint) from None
        return session_id

    # streams

    def _open(self, number: str, kind: str, streaming: Streaming, work: Coroutine[object, object, None]) -> None:
        earlier = self._streams.pop(number, None)
        if earlier is not None:
            earlier.task.cancel()
        if len(self._streams) >= self._desk.settings.streams_per_socket:
            work.close()
            raise SocketError("TOO_MANY_STREAMS", "This connection carries as many streams as it may.")
        task = asyncio.get_running_loop().create_task(work, name=f"evenkeel-ws-{kind}")
        stream = Stream(task, kind, streaming)
        self._streams[number] = stream
        task.add_done_callback(lambda done: self._ended(number, stream, done))

    def _ended(self, number: str, stream: Stream, task: asyncio.Task[None]) -> None:
        if self._streams.get(number) is stream:
            del self._streams[number]
        if not task.cancelled() and (error := task.exception()) is not None and not isinstance(error, GoneError):
            LOG.error("A stream over a WebSocket failed.", exc_info=error)
        if self._stopping:
            self._stop()

    async def _end_streams(self) -> None:
        streams, self._streams = list(self._streams.values()), {}
        for stream in streams:
            stream.task.cancel()
        if streams:
            await asyncio.wait([stream.task for stream in streams])

    def _stop(self) -> None:
        """The process stops: streams of live runs go on to their end, then the client is told to come back."""
        self._stopping = True
        if not any(stream.kind != "watch" for stream in self._streams.values()):
            closing = asyncio.get_running_loop().create_task(self._out.close(SERVICE_RESTART, "restarting"))
            closing.add_done_callback(lambda _: None)

    def _refuse_while_stopping(self) -> None:
        if self._stopping:
            raise OverloadedError("This process is stopping.", hint="Connect again; another one answers.")

    # what clients are told

    async def _say_ready(self, request_id: str) -> None:
        payload = ready(self._desk.settings, can_watch=self._door.can_watch)
        await self._out.put(message("ready", payload, request_id=request_id))

    async def _say_error(self, error: EvenkeelError, request_id: str) -> None:
        payload = failure_of(error, self._language).payload(new_trace_id())
        await self._out.put(message("error", payload, request_id=request_id))


HANDLERS: dict[str, Callable[[Socket, Inbound, str], Awaitable[None]]] = {
    "connect": Socket._connect,
    "start": Socket._start,
    "resume": Socket._resume,
    "watch": Socket._watch,
    "cancel": Socket._cancel,
    "ping": Socket._ping,
}


async def _stopped(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait([task])
