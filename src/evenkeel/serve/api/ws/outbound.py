"""How messages leave a WebSocket.

Streams of one connection take turns, in the order in which they come, each with one message in its hand. While the
client takes less than there is, they wait: each keeps its place in its session's history and goes on from there, so
no text is lost, and nothing grows but the queue of those who wait, which is bounded by the streams of a connection. The
client is told (`slow_client`), at most every three seconds.
"""

from __future__ import annotations

import asyncio
import time

from starlette.types import Send

from evenkeel.serve.api.frames import message
from evenkeel.serve.api.meters import ApiMeter

NOTICE_S = 3.0
CHANNEL = "ws"


class GoneError(Exception):
    """The connection is closed: whoever wanted to send stops."""


class Outbound:
    """The one way out of a connection."""

    __slots__ = ("_capacity", "_meter", "_notice", "_noticed_at", "_send", "_timeout_s", "_turn", "closed")

    def __init__(self, send: Send, meter: ApiMeter, *, capacity: int, timeout_s: float) -> None:
        self._send = send
        self._meter = meter
        self._capacity = capacity
        self._timeout_s = timeout_s
        self._turn = asyncio.Lock()
        self._noticed_at = float("-inf")
        self._notice = ""
        self.closed = False

    async def put(self, text: str, *, request_id: str = "") -> None:
        """Send one message, in turn. Raises `GoneError` once the connection is closed."""
        if self._turn.locked():  # a send that finds room never leaves the turn taken: the client is slow
            self._slow(request_id)
            await self._take_turn()
        else:
            await self._turn.acquire()
        try:
            if self._notice:
                notice, self._notice = self._notice, ""
                await self._deliver(notice)
            await self._deliver(text)
        finally:
            self._turn.release()

    async def close(self, code: int, reason: str = "") -> None:
        """Close the connection; without effect if it is closed."""
        if self.closed:
            return
        self.closed = True
        try:
            await self._send({"type": "websocket.close", "code": code, "reason": reason})
        except (OSError, RuntimeError):
            return  # gone already

    async def _take_turn(self) -> None:
        try:
            async with asyncio.timeout(self._timeout_s):
                await self._turn.acquire()
        except TimeoutError:
            self._meter.cut(CHANNEL)
            self.closed = True
            raise GoneError from None

    async def _deliver(self, text: str) -> None:
        if self.closed:
            raise GoneError
        try:
            await self._send({"type": "websocket.send", "text": text})
        except (OSError, RuntimeError):  # what servers raise for a connection that is gone
            self.closed = True
            raise GoneError from None

    def _slow(self, request_id: str) -> None:
        now = time.monotonic()
        if now - self._noticed_at < NOTICE_S:
            return
        self._noticed_at = now
        self._meter.slow(CHANNEL)
        data = {"reason": "queue_backpressure", "queue_capacity": self._capacity, "ts": int(time.time())}
        payload = {"event": "slow_client", "id": None, "data": data}
        self._notice = message("event", payload, request_id=request_id)
