"""Dispatchers for tests: short pauses, one storage per instance, and a wire that writes down what was sent."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from evenkeel.hotpath.outbox import build_outbox, read_templates
from evenkeel.hotpath.ports.dispatcher import Dispatcher, DispatchRules, SendClass, SendResult
from evenkeel.hotpath.ports.outbox_rows import ClaimedMessage, Group, NewMessage
from evenkeel.hotpath.ports.storage import Storage
from evenkeel.hotpath.switches import read_switches
from evenkeel.kernel.metrics import Meters
from tests.queues import sample
from tests.storages import Place

QUICK = DispatchRules(
    max_sends=16, per_group=2, lease_s=5.0, poll_s=0.05, upkeep_s=0.05, drain_s=5.0, rollback_poll_s=0.02
)
SENDING = replace(QUICK, lease_s=2.5)
"""As short a lease as the templates' time-outs allow: for processes that are killed or paused."""
TEMPLATES = read_templates(
    """
    [default]
    base_s = 0.01
    factor = 1.0
    max_retries = 2
    timeout_s = 2.0
    [webhook]
    timeout_s = 2.0
    [slow]
    timeout_s = 0.05
    [patient]
    base_s = 0.1
    max_retries = 1000
    """
)
SENT = SendResult(SendClass.SENT)


def message(name: str, account: str = "a", channel: str = "chat", **more: Any) -> NewMessage:
    return NewMessage(name, channel, account, "user", "peer", b"{}", **more)


@dataclass
class Wire:
    """What was sent, in order, and how many at once."""

    sent: list[ClaimedMessage] = field(default_factory=list)
    now: Counter[Group] = field(default_factory=Counter)
    most: Counter[Group] = field(default_factory=Counter)
    most_in_all: int = 0
    answer: Callable[[ClaimedMessage], Awaitable[SendResult]] | None = None

    async def sender(self, claimed: ClaimedMessage) -> SendResult:
        self.sent.append(claimed)
        self.now[claimed.group] += 1
        self.most[claimed.group] = max(self.most[claimed.group], self.now[claimed.group])
        self.most_in_all = max(self.most_in_all, self.now.total())
        try:
            if self.answer:
                return await self.answer(claimed)
            await asyncio.sleep(0.001)
            return SENT
        finally:
            self.now[claimed.group] -= 1

    @property
    def ids(self) -> list[str]:
        return [each.outbox_id for each in self.sent]


@dataclass(frozen=True)
class Instance:
    storage: Storage
    dispatcher: Dispatcher
    meters: Meters

    def count(self, name: str, **labels: str) -> float:
        return sample(self.meters, f"evenkeel_outbox_{name}", **labels)


@asynccontextmanager
async def running(place: Place, wire: Wire | None = None, **rules: Any) -> AsyncIterator[Instance]:
    meters = Meters()
    async with place.open(meters) as storage:
        serving: asyncio.Task[None] | None = None
        settings = replace(QUICK, **rules)
        async with build_outbox(
            settings, read_switches(place.profile), meters, storage, templates=TEMPLATES
        ) as dispatcher:
            if wire is not None:
                serving = asyncio.create_task(dispatcher.serve(wire.sender))
            yield Instance(storage, dispatcher, meters)
        if serving is not None:
            await serving
