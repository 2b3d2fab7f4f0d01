"""Rollback path: one loop for all channels that sends one message after the other; nothing is claimed.

Two instances send the same message; the receiver tells by the idempotency key. One account that does not answer stops
all others for as long as its time-out.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from evenkeel.hotpath.outbox.metering import OutboxMeter
from evenkeel.hotpath.outbox.sending import tried
from evenkeel.hotpath.outbox.templates import Templates
from evenkeel.hotpath.outbox.verdicts import Spread, delivery_of
from evenkeel.hotpath.ports.dispatcher import DispatchRules, DispatchState, Sender
from evenkeel.hotpath.ports.outbox_rows import ClaimedMessage, NewMessage
from evenkeel.hotpath.ports.storage import Storage
from evenkeel.kernel.errors import EvenkeelError, UsageError

LOG = logging.getLogger(__name__)
READ = 50


class SerialDispatcher:
    """Open with `open_serial`."""

    def __init__(
        self, storage: Storage, rules: DispatchRules, templates: Templates, spread: Spread, meter: OutboxMeter
    ) -> None:
        self._storage = storage
        self._rules = rules
        self._templates = templates
        self._spread = spread
        self._meter = meter
        self._sending = 0
        self._serving = False
        self._closing = asyncio.Event()
        self._closed = asyncio.Event()
        self._closed.set()

    async def submit(self, *messages: NewMessage) -> int:
        """See the port; nobody is woken."""
        return await self._storage.outbox.enqueue(messages)

    async def serve(self, sender: Sender) -> None:
        """See the port."""
        if self._serving or self._closing.is_set():
            raise UsageError("This dispatcher is already served, or closed.", hint="Build one per sender.")
        self._serving = True
        self._closed.clear()
        try:
            while not self._closing.is_set():
                await self._round(sender)
                await self._pause()
        finally:
            self._serving = False
            self._closed.set()

    async def replay(self, outbox_ids: Sequence[str]) -> int:
        """See the port."""
        return await self._storage.outbox.replay(outbox_ids)

    def state(self) -> DispatchState:
        """See the port; there are no breakers."""
        return DispatchState(self._sending, ())

    async def aclose(self) -> None:
        """Wait for the message under way."""
        self._closing.set()
        try:
            async with asyncio.timeout(self._rules.drain_s):
                await self._closed.wait()
        except TimeoutError:
            LOG.warning("Outbox closed: a send was still under way.")

    async def _round(self, sender: Sender) -> None:
        try:
            await self._storage.outbox.upkeep()
            self._meter.depth(await self._storage.outbox.depth())
            messages = await self._storage.unclaimed_outbox.due(READ)
            self._meter.claimed(len(messages))
            for message in messages:
                if self._closing.is_set():
                    return
                await self._send(message, sender)
        except EvenkeelError as error:
            LOG.warning("The outbox could not be read or written; trying again: %s", error)

    async def _send(self, message: ClaimedMessage, sender: Sender) -> None:
        template = self._templates.of(message.channel).backoff
        self._sending = 1
        try:
            result = await tried(sender, message, template.timeout_s)
            delivery = delivery_of(message, result, template, self._spread)
            fenced = await self._storage.outbox.settle([delivery])
            self._meter.fenced(len(fenced))
            self._meter.stored(delivery.status.value, 1 - len(fenced))
        finally:
            self._sending = 0

    async def _pause(self) -> None:
        try:
            async with asyncio.timeout(self._rules.rollback_poll_s):
                await self._closing.wait()
        except TimeoutError:
            return


@asynccontextmanager
async def open_serial(dispatcher: SerialDispatcher) -> AsyncIterator[None]:
    """Nothing to start."""
    try:
        yield
    finally:
        await dispatcher.aclose()
