"""Wake-ups between instances: one LISTEN connection a process, and notifications sent apart from every transaction."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Iterator, Sequence

from evenkeel.hotpath.ports.wakeups import Channel, Mode
from evenkeel.hotpath.storage.listeners import Listeners
from evenkeel.hotpath.storage.postgres.connections import Connection, Opener
from evenkeel.hotpath.storage.postgres.pool import closed
from evenkeel.kernel.clock import Clock, SystemClock
from evenkeel.kernel.errors import EvenkeelError

PAYLOAD_BYTES = 7_500
"""PostgreSQL takes less than 8,000 bytes per notification."""
CHECK_S = 5.0
RECONNECT_MAX_S = 5.0


class ListenConnection:
    """Keeps the connection, tells the listeners, and says when wake-ups cannot arrive.

    `instance` marks what this process sent itself: its listeners were told directly.
    """

    def __init__(self, opener: Opener, listeners: Listeners, instance: str, clock: Clock | None = None) -> None:
        self._opener = opener
        self._listeners = listeners
        self._instance = instance
        self._clock = clock or SystemClock()

    async def run(self) -> None:
        """Until cancelled: connect, listen, check, and connect again with growing, spread pauses."""
        failures = 0
        while True:
            try:
                connection = await self._opener.connect_direct()
            except EvenkeelError:
                self._listeners.set_mode(Mode.POLL)
                failures += 1
                await asyncio.sleep(_pause_s(failures))
                continue
            failures = 0
            try:
                await self._stay(connection)
            finally:
                self._listeners.set_mode(Mode.POLL)
                await closed(connection)

    async def _stay(self, connection: Connection) -> None:
        """Until the connection breaks. A check now and then finds one that broke without a word."""
        broken = asyncio.Event()
        connection.add_termination_listener(lambda _: broken.set())
        try:
            for channel in Channel:
                await connection.add_listener(f"evenkeel_{channel.value}", self._heard)
            self._listeners.set_mode(Mode.LISTEN)
            while not broken.is_set():
                try:
                    await asyncio.wait_for(broken.wait(), CHECK_S)
                except TimeoutError:
                    await connection.execute("SELECT 1")
        except asyncio.CancelledError:
            raise
        except Exception:
            return

    def _heard(self, _connection: Connection, _pid: int, channel: str, payload: str) -> None:
        try:
            sender, keys = json.loads(payload)
        except ValueError:
            return  # not one of ours
        if sender != self._instance:
            self._listeners.tell(Channel(channel.removeprefix("evenkeel_")), tuple(keys))


def _pause_s(failures: int) -> float:
    """Growing, and spread so that instances do not all come back at the same moment."""
    return float(min(RECONNECT_MAX_S, 0.05 * 2**failures) * random.uniform(0.5, 1.0))  # noqa: S311 no secret


def payloads(instance: str, keys: Sequence[str]) -> Iterator[str]:
    """The keys in as few notifications as fit; () = "look at all" travels as an empty list."""
    room: list[str] = []
    size = 0
    for key in keys:
        length = len(json.dumps(key)) + 2
        if room and size + length > PAYLOAD_BYTES - len(instance) - 16:
            yield json.dumps([instance, room])
            room, size = [], 0
        room.append(key)
        size += length
    if room or not keys:
        yield json.dumps([instance, room])
