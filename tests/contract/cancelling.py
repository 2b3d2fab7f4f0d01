"""A part that cancels, on an instance of its own, and what it leaves."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from evenkeel.hotpath.cancellation import CancelRules, build_cancellation
from evenkeel.hotpath.ports.cancellation import Cancellation
from evenkeel.hotpath.ports.stream_events import Cursor
from evenkeel.hotpath.switches import read_switches
from tests.storages import Place
from tests.streams import SWEPT, Instance, instance

RULES = CancelRules(grace_s=0.2, check_s=0.03, poll_s=0.02)


@dataclass(frozen=True)
class Service:
    """An instance that can be told to stop."""

    here: Instance
    cancellation: Cancellation


@asynccontextmanager
async def service(place: Place, **changes: object) -> AsyncIterator[Service]:
    rules = replace(RULES, **changes)  # type: ignore[arg-type]
    async with instance(place, bus_rules=SWEPT) as here:
        switches, meters = read_switches(place.profile), here.meters
        async with build_cancellation(rules, switches, meters, storage=here.storage, writer=here.writer) as part:
            yield Service(here, part)


async def terminal_events(here: Instance, session_id: str) -> list[bytes]:
    page = await here.storage.events.read(Cursor(session_id, 0), limit=1_000)
    return [
        event.payload for event in page.events if event.payload.startswith((b'{"event":"final"', b'{"event":"error"'))
    ]
