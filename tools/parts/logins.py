"""A flood of logins beside a stream: what a reader of the stream feels."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterator
from functools import partial

from evenkeel.hotpath.passwords import Attempt, HashRules, PasswordHasher, build_passwords
from evenkeel.hotpath.switches import read_switches
from evenkeel.kernel.background import background
from evenkeel.kernel.errors import OverloadedError
from evenkeel.kernel.metrics import Meters
from tools.parts.cases import FLOOD, OURS, Case, Figures, part

RATE, STRETCH_S, TURNS = 500, 1.0, 5
CHUNK_S = 0.005
QUANTILES = (("p50 ms", 0.5), ("p99 ms", 0.99))


class Stream:
    """One piece is due every 5 ms; notes how late each is, in seconds, under the name of what goes on meanwhile."""

    def __init__(self) -> None:
        self.meanwhile = ""
        self.late: dict[str, list[float]] = {}

    async def run(self) -> None:
        """Until cancelled."""
        due = time.perf_counter()
        while True:
            due += CHUNK_S
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            now = time.perf_counter()
            self.late.setdefault(self.meanwhile, []).append(now - due)
            due = max(due, now - 1.0)  # after a long stop it does not owe a thousand pieces


class Flood:
    """Logins with a wrong password at a steady rate, each of another account and address, so that only the bounds of the
    pool stand between them and the hashing.
    """

    def __init__(self, hasher: PasswordHasher, stored: str) -> None:
        self._hasher, self._stored = hasher, stored
        self._number = 0
        self.seen: Counter[str] = Counter()

    async def run(self, lasts_s: float) -> None:
        """A stretch of it, and until every attempt has its answer."""
        started = time.perf_counter()
        async with asyncio.TaskGroup() as tasks:
            for number in range(int(RATE * lasts_s)):
                await asyncio.sleep(max(0.0, started + number / RATE - time.perf_counter()))
                if time.perf_counter() - started > 3 * lasts_s:
                    break  # the loop stood still: the rollback path cannot even take the rate
                self._number += 1
                tasks.create_task(self._login(self._number))

    async def _login(self, number: int) -> None:
        attempt = Attempt(f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}", f"user{number}")
        try:
            await self._hasher.verify("wrong", self._stored, attempt)
            self.seen["checked"] += 1
        except OverloadedError:
            self.seen["refused"] += 1


async def beside_a_stream(_dsn: str, profile: str) -> Figures:
    """Calm and flood take turns of a second: what else the machine does hits both alike. The rules that ship, but without
    a limit on all attempts together: one that was just started has not used it up.
    """
    stream = Stream()
    async with build_passwords(HashRules(overall=1_000_000), read_switches(profile), Meters()) as hasher:
        flood = Flood(hasher, await hasher.hash("right", Attempt("192.0.2.1", "known")))
        async with background(stream.run(), "stream"):
            for _ in range(TURNS):
                stream.meanwhile = "calm"
                await asyncio.sleep(STRETCH_S)
                stream.meanwhile = "flood"
                await flood.run(STRETCH_S)
    figures = {
        f"{name}, {what}": part(stream.late[what], share) * 1e3
        for what in ("calm", "flood")
        for name, share in QUANTILES
    }
    figures["p99, flood / calm"] = part(stream.late["flood"], 0.99) / part(stream.late["calm"], 0.99)
    return figures | {f"logins {name}": float(count) for name, count in flood.seen.items()}


def cases() -> Iterator[Case]:
    """Both paths."""
    yield Case("logins", FLOOD, "none", OURS, partial(beside_a_stream, profile=OURS))
    yield Case("logins", FLOOD, "none", "rollback", partial(beside_a_stream, profile="rollback"), every=3)
