"""Turns that are at work in this process, and what others ask of them."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field

from evenkeel.hotpath.ports.agent_tasks import ClaimedTask
from evenkeel.hotpath.ports.limiter import Grant
from evenkeel.hotpath.ports.task_queue import TaskContext
from evenkeel.serve.agent.narration import Narrator
from evenkeel.serve.agent.orders import Order
from evenkeel.serve.ports.runs import Begun


@dataclass(slots=True)
class AtWork:
    """A turn in this process. `gone` is set when everything it held is given back."""

    owner: str
    voice: Narrator | None = None
    cancelling: bool = False
    over: bool = False  # it ended before it could say anything
    opened: bool = False  # the stream is its own
    gone: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def task_id(self) -> str:
        """Whose attempt it is."""
        return self.owner.rpartition("/")[0]

    @property
    def ending(self) -> bool:
        """It has said its last word, or is about to: the session will be free in a moment."""
        return self.over or (self.voice is not None and self.voice.ended)

    async def gone_within(self, seconds: float) -> None:
        """Wait for it to give back what it held, so long at most."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.gone.wait()


@dataclass(frozen=True, slots=True)
class Turn:
    """One attempt at an order."""

    task: ClaimedTask
    context: TaskContext
    order: Order
    grant: Grant
    hear: asyncio.Future[Begun] | None = None

    @property
    def session_id(self) -> str:
        return self.order.session_id
