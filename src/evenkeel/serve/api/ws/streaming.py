"""One stream over a WebSocket: what a run, a resume or a watch sends."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Mapping

from evenkeel.hotpath.ports.bus import Settled, Subscription
from evenkeel.hotpath.ports.errors import UnknownSessionError
from evenkeel.hotpath.ports.stream_events import HistoryLost
from evenkeel.kernel.errors import EvenkeelError
from evenkeel.serve.api.desk import Desk
from evenkeel.serve.api.failures import failure_of, new_trace_id
from evenkeel.serve.api.frames import ending, fresh, lost_data, message, message_head
from evenkeel.serve.api.profiles import local_time
from evenkeel.serve.api.settings import ApiSettings
from evenkeel.serve.api.ws.messages import PROTOCOL, Place, SocketError
from evenkeel.serve.api.ws.outbound import CHANNEL, Outbound
from evenkeel.serve.api.wunder import in_band, queued_object
from evenkeel.serve.ports.failures import CodedError
from evenkeel.serve.ports.requests import RunRequest
from evenkeel.serve.ports.runs import Queued


def ready(settings: ApiSettings, *, can_watch: bool) -> dict[str, object]:
    """The payload of `ready`. The `resume_poll_*` figures are those of the contract; nothing is polled here."""
    return {
        "connection_id": f"ws_{secrets.token_hex(16)}",
        "server_time": local_time(time.time()),
        "protocol": {"version": PROTOCOL, "min": PROTOCOL, "max": PROTOCOL},
        "policy": {
            "max_message_bytes": settings.message_bytes,
            "stream_queue_size": settings.streams_per_socket,
            "slow_client_queue_watermark": 2,
            "resume_poll_interval_s": 0.08,
            "resume_poll_max_interval_s": 0.8,
            "resume_poll_backoff_factor": 1.6,
            "resume_poll_backoff_after": 3,
            "stream_event_fetch_limit": 200,
        },
        "features": {"multiplex": True, "resume": True, "watch": can_watch, "ping_pong": True},
    }


class Streaming:
    """Sends what one subscription brings, under one request id."""

    __slots__ = ("_desk", "_language", "_out", "_request_id", "session_id")

    def __init__(self, desk: Desk, out: Outbound, request_id: str, session_id: str, language: str) -> None:
        self._desk = desk
        self._out = out
        self._request_id = request_id
        self.session_id = session_id  # "" until a start without one was begun
        self._language = language

    async def start(self, run: RunRequest, turn: asyncio.Lock, foreign: str) -> None:
        """Submit a run, in the order in which they were asked for, and send it to its end."""
        asked_at = time.perf_counter()
        try:
            async with turn:
                submitted = await self._desk.runs.submit(run)
        except UnknownSessionError as error:
            await self._error(SocketError(foreign, error.message, hint=error.hint))
            return
        except CodedError as error:
            self._desk.meter.run(CHANNEL, error.code)
            await self._event("error", in_band(self.session_id, error))
            return
        except EvenkeelError as error:
            await self._error(error)
            return
        self.session_id = submitted.session_id
        if isinstance(submitted, Queued):
            self._desk.meter.run(CHANNEL, "queued")
            for kind in ("queued", "final"):  # the second is the contract's: clients know it by `data.queued`
                await self._event(kind, queued_object(submitted))
            return
        await self._pump(submitted.subscription, 0, own_run=True, asked_at=asked_at)

    async def follow(self, place: Place, *, stays: bool) -> None:
        """Go on from a cursor: to the end of what is at work, or for as long as the connection lives."""
        after_id = max(0, place.after_event_id or 0)
        try:
            if after_id == 0 and place.history != "all":
                after_id = await self._desk.turn_start(self.session_id)
            subscription = await self._desk.reader(self.session_id, after_id, place.epoch, endless=stays)
        except EvenkeelError as error:
            await self._error(error)
            return
        await self._pump(subscription, after_id, own_run=False)

    async def _pump(self, subscription: Subscription, after_id: int, *, own_run: bool, asked_at: float = 0.0) -> None:
        head, out, meter = message_head(self._request_id, self.session_id), self._out, self._desk.meter
        try:
            async for delivery in subscription:
                if isinstance(delivery, Settled):
                    if own_run and not after_id:
                        continue  # the silence before a run's first word, as it was when its reader was opened
                    return
                if isinstance(delivery, HistoryLost):
                    await self._event("history_lost", lost_data(delivery))
                    continue
                if asked_at:
                    meter.first_event(CHANNEL, time.perf_counter() - asked_at)
                    asked_at = 0.0
                events = fresh(delivery, after_id)
                for event in events:
                    await out.put(f"{head}{event.payload.decode()}}}", request_id=self._request_id)
                    if own_run and event.terminal:
                        meter.run(CHANNEL, ending(event))
                        return
                after_id = events[-1].event_id
                meter.events(CHANNEL, len(events))
        finally:
            await subscription.aclose()

    async def _event(self, kind: str, data: Mapping[str, object]) -> None:
        """An event that stands in no stream: without an id."""
        payload = {"event": kind, "id": None, "data": data}
        await self._out.put(message("event", payload, request_id=self._request_id, session_id=self.session_id))

    async def _error(self, error: EvenkeelError) -> None:
        payload = failure_of(error, self._language).payload(new_trace_id())
        await self._out.put(message("error", payload, request_id=self._request_id, session_id=self.session_id))
