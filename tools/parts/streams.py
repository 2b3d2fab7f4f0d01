"""Event writer, fan-out, limiter and cancellation: both paths."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import AsyncExitStack
from dataclasses import replace
from functools import partial
from typing import cast

from evenkeel.hotpath.cancellation import CancelRules, build_cancellation
from evenkeel.hotpath.events import BusRules
from evenkeel.hotpath.limiter import LimiterRules, build_limiter
from evenkeel.hotpath.limiter.slots import Slots
from evenkeel.hotpath.ports.bus import Subscription
from evenkeel.hotpath.ports.event_writer import Draft, RunWriter
from evenkeel.hotpath.ports.leases import Lease, LeaseRequest, SessionLeases
from evenkeel.hotpath.ports.limiter import Admission, Limiter
from evenkeel.hotpath.storage.opened import OpenStorage
from evenkeel.hotpath.switches import read_switches
from evenkeel.hotpath.writes import WriterRules
from evenkeel.kernel.clock import SystemClock
from evenkeel.kernel.metrics import Meters
from tests.storages import Place
from tests.streams import FINAL, instance
from tools.parts.cases import ACROSS, ADMIT, FAN_OUT, HERE, JOINED, OURS, ROW, SLOT, Case, Figures, Measure, part

WHOLE = "admit and release, statements taken out"
DELTA = Draft("llm_output_delta", {"delta": "x" * 150}, text_bytes=0)  # one row an event, about 250 bytes
SMALL = Draft("llm_output_delta", {"delta": "x" * 20}, text_bytes=20)


async def write(place: Place, count: int, draft: Draft, sessions: int = 50) -> Figures:
    """Events per second until the last one is stored, from many runs at once that yield every 16 events; and what each
    costs this process (on PostgreSQL the server's own work comes on top), which a busy machine changes less.
    """
    async with instance(place, bus_rules=BusRules(), writer_rules=WriterRules()) as here:
        runs = [await here.writer.begin(f"s{number}", "user") for number in range(sessions)]

        async def say(run: RunWriter) -> None:
            for number in range(count // sessions):
                await run.emit(draft)
                if number % 16 == 0:
                    await asyncio.sleep(0)
            await run.emit(FINAL)

        started, cpu = time.perf_counter(), time.process_time()
        await asyncio.gather(*(say(run) for run in runs))
        used = time.process_time() - cpu
        return {"events/s": count / (time.perf_counter() - started), "us CPU an event": used / count * 1e6}


async def fan_out(place: Place, messages: int, readers: int) -> Figures:
    """CPU seconds of this process to bring every message to every reader; the publisher yields every message."""
    async with instance(place, bus_rules=BusRules()) as here:
        subscribed = [await here.bus.subscribe(None, "s") for _ in range(readers)]
        reading = [asyncio.create_task(drain(each, messages)) for each in subscribed]
        await asyncio.sleep(0.2)
        started, cpu = time.perf_counter(), time.process_time()
        run = await here.writer.begin("s", "user")
        for _ in range(messages):
            await run.emit(DELTA)
            await asyncio.sleep(0)
        await asyncio.gather(*reading)
        used = time.process_time() - cpu
        return {"CPU s": used, "us a delivery": used / messages / readers * 1e6, "s": time.perf_counter() - started}


async def drain(reader: Subscription, messages: int) -> None:
    while messages > 0:
        delivery = await anext(reader)
        messages -= len(getattr(delivery, "events", ()))


async def admit(place: Place, clients: int, turns: int) -> Figures:
    """Admit and release per second, each client on sessions of its own, with 500 other leases in the table."""
    async with AsyncExitStack() as opened:
        storage = await opened.enter_async_context(place.open())
        for number in range(500):
            await storage.leases.acquire(LeaseRequest(f"other{number}", "run", "user", ttl_s=600))
        rules = LimiterRules(max_active=1_000)
        built = build_limiter(rules, read_switches(place.profile), Meters(), storage=storage)
        limiter = await opened.enter_async_context(built)
        started = time.perf_counter()
        await asyncio.gather(*(_turns(limiter, client, turns) for client in range(clients)))
        return {"admissions/s": clients * turns / (time.perf_counter() - started)}


async def _turns(limiter: Limiter, client: int, turns: int) -> None:
    for turn in range(turns):
        async with await limiter.admit(Admission(f"s{client}", "user", f"{client}-{turn}")):
            pass


class Instant:
    """Leases without a database: what is left of a grant is the first level, the bookkeeping and the metering."""

    async def acquire(self, request: LeaseRequest) -> Lease:
        """Always free."""
        return Lease(request.session_id, request.owner, 1)

    async def release(self, _lease: Lease) -> bool:
        """Always held."""
        return True


async def grant(_dsn: str) -> Figures:
    """A slot taken and given back; and a whole admission and release whose two statements cost nothing."""
    slots = Slots(SystemClock(), 10)
    slots.ceiling, slots.valid_until = 10, float("inf")
    started = time.perf_counter()
    for _ in range(100_000):
        slots.take()
        slots.give()
    return {"us a grant": (time.perf_counter() - started) / 100_000 * 1e6}


async def whole_grant(place: Place, turns: int) -> Figures:
    """Admission and release on the whole path, with the two statements taken out."""
    async with AsyncExitStack() as opened:
        storage = cast(OpenStorage, await opened.enter_async_context(place.open()))
        instant = replace(storage, leases=cast(SessionLeases, Instant()))
        rules = LimiterRules(max_active=1_000)
        built = build_limiter(rules, read_switches(place.profile), Meters(), storage=instant)
        limiter = await opened.enter_async_context(built)
        started = time.perf_counter()
        await _turns(limiter, 0, turns)
        return {"us a grant": (time.perf_counter() - started) / turns * 1e6}


async def cancel(place: Place, count: int, *, across: bool) -> Figures:
    """From `cancel` to the run's wake-up, in one process or in another instance."""
    async with AsyncExitStack() as opened:
        parts = []
        for _ in range(2):
            here = await opened.enter_async_context(instance(place, bus_rules=BusRules()))
            switches = read_switches(place.profile)
            built = build_cancellation(CancelRules(), switches, Meters(), storage=here.storage, writer=here.writer)
            parts.append((here, await opened.enter_async_context(built)))
        (here, mine), (_, theirs) = parts
        await asyncio.sleep(0.3)
        delays = []
        for number in range(count):
            session = f"s{number}"
            await here.storage.leases.acquire(LeaseRequest(session, "run", "user"))
            with mine.token(session, "run") as token:
                await asyncio.sleep(0.25 if place.profile == "rollback" and across else 0.001)
                cancelling = asyncio.create_task((theirs if across else mine).cancel(session))
                started = time.perf_counter()
                await token.wait()
                delays.append(time.perf_counter() - started)
                await cancelling
        return {"p50 ms": part(delays, 0.5) * 1e3, "p99 ms": part(delays, 0.99) * 1e3}


def at(run: Callable[[Place], Coroutine[None, None, Figures]], profile: str) -> Measure:
    """The measure of a path: that of the whole profile, storage included."""

    def measure(dsn: str) -> Coroutine[None, None, Figures]:
        return run(Place(dsn, profile))

    return measure


def cases() -> Iterator[Case]:
    """All of them; the rollback path gets less to do, what counts is the rate."""
    for profile in (OURS, "rollback"):
        slow = profile == "rollback"
        events, cancels = (2_000, 20) if slow else (40_000, 200)
        every = 3 if slow else 1
        for database in ("sqlite", "postgres"):
            for contest, draft in ((ROW, DELTA), (JOINED, SMALL)):
                measure = at(partial(write, count=events, draft=draft), profile)
                yield Case("writer", contest, database, profile, measure, every)
        spread = at(partial(fan_out, messages=100, readers=500), profile)
        yield Case("fan-out", FAN_OUT, "sqlite", profile, spread, every)
        yield Case("limiter", ADMIT, "postgres", profile, at(partial(admit, clients=16, turns=40), profile))
        for contest, across in ((HERE, False), (ACROSS, True)):
            measure = at(partial(cancel, count=cancels // (1 + across), across=across), profile)
            yield Case("cancellation", contest, "postgres", profile, measure, every)
    yield Case("limiter", SLOT, "none", OURS, grant)
    yield Case("limiter", WHOLE, "sqlite", OURS, at(partial(whole_grant, turns=5_000), OURS))
