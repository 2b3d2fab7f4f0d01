"""The parts against the goals: every contest with its competitors in the same interleaved run.

    make bench-parts                                    all rooms; keeps nothing
    make bench-parts ARGS="tasks writer --rounds 10"    some of them
    make bench-parts ARGS="--write"                     and keeps them in docs/evidence/parts.{md,json}

Each round runs every case of a room once, in random order, each on an empty database; a ratio is the median of the
ratios of the rounds. Server and clients share the machine. The throw-away PostgreSQL has fsync off, for all alike; SQLite
syncs every commit, except in the census, which counts and does not time.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "src")]
sys.path.append(str(Path(sys.prefix) / "competitors"))  # last: what evenkeel itself needs is taken from its own pins

from tests.postgres import Databases, running_cluster  # noqa: E402
from tools.parts import census, logins, outbox, results, streams, tasks  # noqa: E402
from tools.parts.cases import Case, Figures  # noqa: E402

MILLION = 1_000_000


def all_cases(sessions: int) -> list[Case]:
    """Of every room."""
    return [*tasks.cases(), *streams.cases(), *outbox.cases(), *logins.cases(), *census.cases(sessions)]


@contextmanager
def databases(folder: Path) -> Iterator[Callable[[str], str]]:
    """Makes the DSN of an empty database of a kind."""
    with running_cluster() as cluster:
        made = Databases(cluster.dsn, "bench")

        def fresh(kind: str) -> str:
            return made.create() if kind == "postgres" else f"sqlite:///{tempfile.mkdtemp(dir=folder)}/bench.db"

        yield fresh


def measured(cases: list[Case], number: int, fresh: Callable[[str], str]) -> dict[Case, Figures]:
    """One round of a room."""
    entrants = [case for case in cases if number % case.every == 0]
    random.shuffle(entrants)
    found: dict[Case, Figures] = {}
    for case in entrants:
        found[case] = asyncio.run(case.measure(fresh(case.database)))
        shown = ", ".join(f"{value:,.4g} {unit}" for unit, value in found[case].items())
        print(f"{number + 1}: {case.room}: {case.contest}, {case.database}, {case.contender}: {shown}", flush=True)
    return found


def main() -> None:
    """Parse, measure, print, keep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rooms", nargs="*", metavar="ROOM", help=", ".join(results.ROOMS))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--sessions", type=int, default=MILLION, help="of the census")
    parser.add_argument("--write", action="store_true", help="keep the figures in docs/evidence")
    options = parser.parse_args()
    if unknown := set(options.rooms) - set(results.ROOMS):
        parser.error(f"no such room: {', '.join(sorted(unknown))}; there are {', '.join(results.ROOMS)}")
    if not tasks.competitors_installed():
        print("PgQueuer and Procrastinate are not installed: `make bench-parts` puts them beside .venv's own.")
    cases = all_cases(options.sessions)
    with tempfile.TemporaryDirectory() as folder, databases(Path(folder)) as fresh:
        for room in options.rooms or results.ROOMS:
            mine = [case for case in cases if case.room == room]
            rounds = 1 if room == "census" else options.rounds
            before = os.getloadavg()[0]
            found = [measured(mine, number, fresh) for number in range(rounds)]
            kept = {room: results.collected(found, (before, os.getloadavg()[0]))}
            print("\n" + results.rendered(kept) + "\n", flush=True)
            if options.write:
                results.keep(kept)


if __name__ == "__main__":
    main()
