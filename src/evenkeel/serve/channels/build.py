"""The one place that puts the channels together."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass

from starlette.routing import BaseRoute

from evenkeel.hotpath.outbox import read_templates
from evenkeel.hotpath.ports.bounded import BoundedMaps
from evenkeel.hotpath.ports.dispatcher import Dispatcher
from evenkeel.kernel.background import begun
from evenkeel.kernel.clock import Clock
from evenkeel.serve.channels.accounts import Accounts
from evenkeel.serve.channels.delivery import open_sender
from evenkeel.serve.channels.operations import OPERATIONS
from evenkeel.serve.channels.reception import Reception
from evenkeel.serve.channels.replies import Replies
from evenkeel.serve.channels.routes import HasKey, channel_routes, proves_itself
from evenkeel.serve.channels.settings import ChannelsSettings
from evenkeel.serve.ports.documents import Operation
from evenkeel.serve.ports.parts import Parts
from evenkeel.serve.ports.runs import Runs


@dataclass(frozen=True, slots=True)
class Channels:
    """The open channels."""

    routes: list[BaseRoute]
    accounts: Accounts
    described: tuple[Operation, ...] = OPERATIONS

    def needs_no_key(self, path: str) -> bool:
        """For the guard: a provider's signed calls come without the server's key."""
        return proves_itself(self.accounts, path)


@asynccontextmanager
async def open_delivery(
    settings: ChannelsSettings, maps: BoundedMaps, clock: Clock, unopened: AbstractAsyncContextManager[Dispatcher]
) -> AsyncIterator[Dispatcher]:
    """The outbox that `unopened` opens, sending for all channels until the block is left.

    Leaving closes the outbox first: nothing new is sent, sends under way end (up to `outbox.drain_s`) while the way out
    is still open, what is queued stays queued and goes out later, here or from another instance. Closing the outbox is
    also what ends the task that serves it, so that task lives outside of it.
    """
    templates = await asyncio.to_thread(read_templates)
    async with open_sender(settings, Accounts(settings), templates, maps, clock) as sender:
        serving: asyncio.Task[None] | None = None
        try:
            async with unopened as outbox:
                serving = begun(outbox.serve(sender), "evenkeel-channels-outbox")
                await asyncio.sleep(0)  # it serves before it can be closed
                yield outbox
        finally:
            if serving is not None:
                await serving


def build_channels(
    parts: Parts, runs: Runs, replies: Replies, settings: ChannelsSettings, *, has_key: HasKey
) -> Channels:
    """Take messages. `replies` is the one that the agent tells of ends; what it queues, `open_delivery` sends."""
    accounts = Accounts(settings)
    reception = Reception(parts, runs, replies, settings)
    return Channels(channel_routes(accounts, reception, has_key, settings.messages), accounts)
