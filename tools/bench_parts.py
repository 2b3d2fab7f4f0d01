"""Events, writes, limiter and cancellation: both paths interleaved in one run, on SQLite and PostgreSQL, as ratios.

    python tools/bench_parts.py --rounds 3            all rooms
    python tools/bench_parts.py writer fan-out        some of them

Each round runs every case once, in random order; the table shows medians. Server and clients share the machine. The
throw-away PostgreSQL has fsync off; SQLite syncs every commit. The task queue has a tool of its own (bench_parts_tasks.py).
"""

from __future__ import annotations

import argparse
import asyncio
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "src")]

from evenkeel.hotpath.cancellation import CancelRules, build_cancellation  # noqa: E402
from evenkeel.hotpath.events import BusRules  # noqa: E402
from evenkeel.hotpath.limiter import LimiterRules, build_limiter  # noqa: E402
from evenkeel.hotpath.limiter.slots import Slots  # noqa: E402
from evenkeel.hotpath.ports.bus import Subscription  # noqa: E402
from evenkeel.hotpath.ports.event_writer import Draft, RunWriter  # noqa: E402
from evenkeel.hotpath.ports.leases import LeaseRequest  # noqa: E402
from evenkeel.hotpath.ports.limiter import Admission, Limiter  # noqa: E402
from evenkeel.hotpath.switches import read_switches  # noqa: E402
from evenkeel.hotpath.writes import WriterRules  # noqa: E402
from evenkeel.kernel.clock import SystemClock  # noqa: E402
from evenkeel.kernel.metrics import Meters  # noqa: E402
from tests.postgres import Databases, running_cluster  # noqa: E402
from tests.storages import Place  # noqa: E402
from tests.streams import FINAL, instance  # noqa: E402

DELTA = Draft("llm_output_delta", {"delta": "x" * 150}, text_bytes=0)  # one row an event, about 250 bytes
JOINED = Draft("llm_output_delta", {"delta": "x" * 20}, text_bytes=20)


@dataclass(frozen=True, slots=True)
class Case:
    """`run(place)` answers figures by name; larger is better for rates, smaller for times (names end in the unit)."""

    room: str
    name: str
    profile: str
    run: Callable[[Place], Coroutine[None, None, dict[str, float]]]
    only: str = ""  # a database


async def write(place: Place, count: int, draft: Draft, sessions: int = 50) -> dict[str, float]:
    """Events per second until the last one is stored, from many runs at once that yield every 16 events."""
    async with instance(place, bus_rules=BusRules(), writer_rules=WriterRules()) as here:
        runs = [await here.writer.begin(f"s{number}", "user") for number in range(sessions)]

        async def say(run: RunWriter) -> None:
            for number in range(count // sessions):
                await run.emit(draft)
                if number % 16 == 0:
                    await asyncio.sleep(0)
            await run.emit(FINAL)

        started = time.perf_counter()
        await asyncio.gather(*(say(run) for run in runs))
        return {"events/s": count / (time.perf_counter() - started)}


async def fan_out(place: Place, messages: int, readers: int) -> dict[str, float]:
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
        return {"cpu s": used, "us/delivery": used / messages / readers * 1e6, "s": time.perf_counter() - started}


async def drain(reader: Subscription, messages: int) -> None:
    while messages > 0:
        delivery = await anext(reader)
        messages -= len(getattr(delivery, "events", ()))


async def admit(place: Place, clients: int, turns: int) -> dict[str, float]:
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


async def grant(_place: Place) -> dict[str, float]:
    """The first level alone: take a slot and give it back, no database."""
    slots = Slots(SystemClock(), 10)
    slots.ceiling, slots.valid_until = 10, float("inf")
    started = time.perf_counter()
    for _ in range(100_000):
        slots.take()
        slots.give()
    return {"us/grant": (time.perf_counter() - started) / 100_000 * 1e6}


async def cancel_here(place: Place, count: int) -> dict[str, float]:
    """From `cancel` to the run's wake-up, in one process."""
    return await _cancel(place, count, across=False)


async def cancel_across(place: Place, count: int) -> dict[str, float]:
    """From `cancel` in one instance to the run's wake-up in another."""
    return await _cancel(place, count, across=True)


async def _cancel(place: Place, count: int, *, across: bool) -> dict[str, float]:
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
        return {"p50 ms": _part(delays, 0.5), "p99 ms": _part(delays, 0.99)}


def _part(seconds: list[float], part: float) -> float:
    return sorted(seconds)[min(len(seconds) - 1, int(len(seconds) * part))] * 1e3


def cases() -> Iterator[Case]:
    """All of them. A path is that of the whole profile, storage included."""
    for profile in ("optimised", "rollback"):
        slow = profile == "rollback"
        events, cancels = (2_000, 20) if slow else (40_000, 100)
        yield Case("writer", "one row an event", profile, partial(write, count=events, draft=DELTA))
        yield Case("writer", "deltas of 20 bytes", profile, partial(write, count=events, draft=JOINED))
        yield Case("fan-out", "100 messages to 500", profile, partial(fan_out, messages=100, readers=500), "sqlite")
        yield Case("limiter", "16 clients", profile, partial(admit, clients=16, turns=40), "postgres")
        yield Case("cancellation", "in process", profile, partial(cancel_here, count=cancels), "postgres")
        yield Case("cancellation", "across", profile, partial(cancel_across, count=cancels // 2), "postgres")
    yield Case("limiter", "slot alone", "optimised", grant, "sqlite")


@contextmanager
def databases(folder: Path) -> Iterator[Callable[[str], str]]:
    """Makes a fresh DSN of a dialect."""
    with running_cluster() as cluster:
        made = Databases(cluster.dsn, "bench")

        def fresh(dialect: str) -> str:
            if dialect == "sqlite":
                return f"sqlite:///{tempfile.mkdtemp(dir=folder)}/bench.db"
            return made.create()

        yield fresh


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rooms", nargs="*", help="writer, fan-out, limiter, cancellation")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    wanted = [case for case in cases() if not arguments.rooms or case.room in arguments.rooms]
    found: dict[tuple[str, str, str, str], dict[str, list[float]]] = {}
    with tempfile.TemporaryDirectory() as folder, databases(Path(folder)) as fresh:
        for _ in range(arguments.rounds):
            plan = [
                (case, dialect) for case in wanted for dialect in ("sqlite", "postgres") if case.only in {"", dialect}
            ]
            random.shuffle(plan)
            for case, dialect in plan:
                figures = asyncio.run(case.run(Place(fresh(dialect), case.profile)))
                kept = found.setdefault((case.room, case.name, dialect, case.profile), {})
                for name, figure in figures.items():
                    kept.setdefault(name, []).append(figure)
        report(found)


def report(found: dict[tuple[str, str, str, str], dict[str, list[float]]]) -> None:
    """Medians of both paths, and how many times the optimised one is better."""
    for (room, name, dialect, profile), figures in sorted(found.items()):
        if profile == "rollback":
            continue
        others = found.get((room, name, dialect, "rollback"), {})
        for unit, values in figures.items():
            mine = statistics.median(values)
            line = f"{room:13}{name:22}{dialect:10}{unit:14}optimised {mine:12,.2f}"
            if unit in others:
                other = statistics.median(others[unit])
                ratio = mine / other if unit.endswith("/s") else other / mine
                line += f"   rollback {other:12,.2f}   x {ratio:,.1f}"
            print(line)


if __name__ == "__main__":
    main()
