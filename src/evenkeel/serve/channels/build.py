"""The one place that puts the channels together."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from starlette.routing import BaseRoute

from evenkeel.hotpath.outbox import read_templates
from evenkeel.kernel.background import background
from evenkeel.serve.channels.accounts import Accounts
from evenkeel.serve.channels.delivery import open_sender
from evenkeel.serve.channels.reception import Reception
from evenkeel.serve.channels.replies import Replies
from evenkeel.serve.channels.routes import HasKey, channel_routes, proves_itself
from evenkeel.serve.channels.settings import ChannelsSettings
from evenkeel.serve.ports.parts import Parts
from evenkeel.serve.ports.runs import Runs


@dataclass(frozen=True, slots=True)
class Channels:
    """The open channels."""

    routes: list[BaseRoute]
    accounts: Accounts

    def needs_no_key(self, path: str) -> bool:
        """For the guard: a provider's signed calls come without the server's key."""
        return proves_itself(self.accounts, path)


@asynccontextmanager
async def build_channels(
    parts: Parts, runs: Runs, replies: Replies, settings: ChannelsSettings, *, has_key: HasKey
) -> AsyncIterator[Channels]:
    """Take messages and send answers until the block is left. `replies` is the one that the agent tells of ends.

    Leaving stops sending; what is queued stays queued and goes out later, here or from another instance.
    """
    accounts = Accounts(settings)
    templates = await asyncio.to_thread(read_templates)
    async with open_sender(settings, accounts, templates, parts.maps, parts.clock) as sender:
        reception = Reception(parts, runs, replies, settings)
        async with background(parts.outbox.serve(sender), "evenkeel-channels-outbox"):
            yield Channels(channel_routes(accounts, reception, has_key, settings.messages), accounts)
