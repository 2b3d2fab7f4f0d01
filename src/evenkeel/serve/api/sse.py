"""Server-sent events: one reader of the bus to one HTTP response.

A client that takes less than there is makes its own response wait: the reader keeps its place and goes on from there, so
nothing is dropped and nobody else waits. A client that goes away ends its response and nothing else.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from evenkeel.hotpath.ports.bus import Event, Settled, Subscription
from evenkeel.hotpath.ports.stream_events import HistoryLost
from evenkeel.kernel.background import background
from evenkeel.kernel.errors import EvenkeelError
from evenkeel.serve.api.desk import Desk
from evenkeel.serve.api.failures import failure_of, response_of
from evenkeel.serve.api.frames import KEEP_ALIVE, ending, fresh, lost_data, sse, sse_plain
from evenkeel.serve.api.front import body_sender, is_head, language_in, trace_in

CHANNEL = "sse"
HEADERS = {"cache-control": "no-store", "x-accel-buffering": "no"}


@dataclass(frozen=True, slots=True)
class Reading:
    """How a subscription is shown. `own_run` = ends with the run's terminal event, else when nothing is at work."""

    subscription: Subscription
    after_id: int = 0
    own_run: bool = False
    frame: Callable[[Event], bytes] = sse
    asked_at: float = 0.0


class EventStream(Response):
    """A response that carries what a session says."""

    media_type = "text/event-stream"

    def __init__(self, desk: Desk, caller: str, reading: Reading) -> None:
        super().__init__(headers=HEADERS)
        del self.headers["content-length"]
        self._desk = desk
        self._caller = caller
        self._reading = reading
        self._sending_since: float | None = None
        self._sent_at = time.monotonic()
        self._cut = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        subscription = self._reading.subscription
        try:
            with self._desk.streams.entered(CHANNEL, self._caller, self._asked_to_stop):
                await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
                if is_head(scope):
                    await send({"type": "http.response.body", "body": b"", "more_body": False})
                    return
                direct, pump = body_sender(scope, send), asyncio.current_task()
                async with background(self._watch(receive, direct, pump), "evenkeel-sse-watch"):
                    await self._pump(direct)
        except asyncio.CancelledError:
            if not self._cut:
                raise
        except EvenkeelError as error:  # no place: nothing was sent yet
            await response_of(failure_of(error, language_in(scope)), trace_in(scope))(scope, receive, send)
        finally:
            await subscription.aclose()

    async def _pump(self, send: Send) -> None:
        async for chunk, events in self._chunks():
            self._sending_since = time.monotonic()
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
            self._sent_at, self._sending_since = time.monotonic(), None
            self._desk.meter.events(CHANNEL, events)
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _chunks(self) -> AsyncIterator[tuple[bytes, int]]:
        """Everything that one delivery brought, as one write; ends where the reading ends."""
        reading, asked_at, after_id = self._reading, self._reading.asked_at, self._reading.after_id
        async for delivery in reading.subscription:
            if isinstance(delivery, Settled):
                if reading.own_run and not after_id:
                    continue  # the silence before a run's first word, as it was when its reader was opened
                return
            if isinstance(delivery, HistoryLost):
                yield sse_plain("history_lost", lost_data(delivery)), 1
                continue
            if asked_at:
                self._desk.meter.first_event(CHANNEL, time.perf_counter() - asked_at)
                asked_at = 0.0
            events = fresh(delivery, after_id)
            last = next((event for event in events if event.terminal), None) if reading.own_run else None
            if last is not None:  # what follows it in the session is not this run's: the next may have begun
                events = events[: events.index(last) + 1]
            after_id = events[-1].event_id
            yield b"".join([reading.frame(event) for event in events]), len(events)
            if last is not None:
                self._desk.meter.run(CHANNEL, ending(last))
                return

    async def _watch(self, receive: Receive, send: Send, pump: asyncio.Task[None] | None) -> None:
        """Notice that the client went away or takes nothing, and keep a silent connection alive."""
        keepalive_s = self._desk.settings.keepalive_s
        while True:
            try:
                async with asyncio.timeout(keepalive_s):
                    message = await receive()
            except TimeoutError:
                now = time.monotonic()
                if self._sending_since is None:
                    if now - self._sent_at >= keepalive_s:
                        await send({"type": "http.response.body", "body": KEEP_ALIVE, "more_body": True})
                elif now - self._sending_since >= self._desk.settings.send_timeout_s and pump is not None:
                    self._cut = True
                    self._desk.meter.cut(CHANNEL)
                    pump.cancel("the client takes nothing")
                    return
                continue
            if message["type"] == "http.disconnect":
                await self._reading.subscription.aclose()
                return

    def _asked_to_stop(self) -> None:
        """The process stops: a stream of a live run goes on to its end, which comes with the run's."""


class OneEvent(Response):
    """An SSE response with a single event, such as `queued`."""

    media_type = "text/event-stream"

    def __init__(self, kind: str, data: object) -> None:
        super().__init__(sse_plain(kind, data), headers=HEADERS)
