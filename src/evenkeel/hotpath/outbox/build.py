"""The one place that chooses a path."""

from __future__ import annotations

import asyncio
import os
import random
import uuid
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from evenkeel.hotpath.outbox.grouped import GroupedDispatcher, open_grouped
from evenkeel.hotpath.outbox.metering import MeteredDispatcher, build_meter
from evenkeel.hotpath.outbox.serial import SerialDispatcher, open_serial
from evenkeel.hotpath.outbox.templates import Templates, read_templates
from evenkeel.hotpath.outbox.verdicts import Spread
from evenkeel.hotpath.ports.dispatcher import Dispatcher, DispatchRules
from evenkeel.hotpath.ports.storage import Storage
from evenkeel.kernel.clock import Clock, SystemClock
from evenkeel.kernel.errors import ConfigurationError
from evenkeel.kernel.metrics import Meters
from evenkeel.kernel.switch import Path, Switchboard

Built = tuple[Dispatcher, AbstractAsyncContextManager[None]]


@asynccontextmanager
async def build_outbox(
    rules: DispatchRules,
    switches: Switchboard,
    meters: Meters,
    storage: Storage,
    *,
    templates: Templates | None = None,
    clock: Clock | None = None,
    spread: Spread = random.random,  # spreads waits, guards nothing
) -> AsyncIterator[Dispatcher]:
    """A dispatcher over `storage.outbox`; close it before the storage. `templates` None = those that ship.

    Leaving the block ends `serve`, so let the task that serves live outside of it. Raises `ConfigurationError` for
    rules that cannot hold.
    """
    known = templates if templates is not None else await asyncio.to_thread(read_templates)
    _check(rules, known)
    time = clock or SystemClock()

    def grouped() -> Built:
        meter = build_meter(meters, Path.OPTIMISED.value)
        worker = f"{os.getpid()}-{uuid.uuid4().hex[:16]}"
        dispatcher = GroupedDispatcher(worker, storage, rules, known, time, spread, meter)
        return MeteredDispatcher(dispatcher, meter, time), open_grouped(dispatcher, storage)

    def serial() -> Built:
        meter = build_meter(meters, Path.ROLLBACK.value)
        dispatcher = SerialDispatcher(storage, rules, known, spread, meter)
        return MeteredDispatcher(dispatcher, meter, time), open_serial(dispatcher)

    dispatcher, opened = switches.pick("outbox", optimised=grouped, rollback=serial)
    async with opened:
        yield dispatcher


def _check(rules: DispatchRules, templates: Templates) -> None:
    for name in ("max_sends", "per_group", "claim_batch", "lease_s", "poll_s", "breaker_failures", "upkeep_s"):
        value = getattr(rules, name)
        if value <= 0:
            raise ConfigurationError(f"outbox.{name} is {value!r}.", hint="It must be above 0.")
    if rules.lease_s <= templates.longest_s:
        raise ConfigurationError(
            f"outbox.lease_s is {rules.lease_s:g}, and a send may take {templates.longest_s:g} s.",
            hint="Make the lease longer than the longest timeout_s of the templates, else messages go out twice.",
        )
