"""A flood of logins beside a stream: what a reader of the stream feels."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterator
from functools import partial

from evenkeel.hotpath.passwords import Attempt, HashRules, PasswordHasher, build_passwords
from evenkeel.hotpath.switches import read_switches
from evenkeel.kernel.errors import OverloadedError
from evenkeel.kernel.metrics import Meters
from tools.parts.cases import CALM, FLOOD, OURS, Case, Figures, part

RATE, LASTS_S = 500, 6.0
CHUNK_S = 0.005
WARM_S = 0.5


async def stream(over: asyncio.Event) -> list[float]:
    """How late each piece of a stream is, in seconds: one is due every 5 ms, and each costs what encoding one does."""
    late: list[float] = []
    due = time.perf_counter()
    while not over.is_set():
        due += CHUNK_S
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        now = time.perf_counter()
        late.append(now - due)
        due = max(due, now - 1.0)  # after a long stop it does not owe a thousand pieces
    return late


async def flood(hasher: PasswordHasher, seen: Counter[str]) -> None:
    """Logins at a steady rate, each of another account and address, so that only the overall limit and the bounds of
    the pool stand between them and the hashing.
    """
    stored = await hasher.hash("right", Attempt("192.0.2.1", "known"))
    started = time.perf_counter()
    async with asyncio.TaskGroup() as tasks:
        for number in range(int(RATE * LASTS_S)):
            await asyncio.sleep(max(0.0, started + number / RATE - time.perf_counter()))
            if time.perf_counter() - started > 2 * LASTS_S:
                break  # the loop stood still: the rollback path cannot even take the rate
            tasks.create_task(login(hasher, stored, number, seen))


async def login(hasher: PasswordHasher, stored: str, number: int, seen: Counter[str]) -> None:
    """One attempt with a wrong password."""
    attempt = Attempt(f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}", f"user{number}")
    try:
        await hasher.verify("wrong", stored, attempt)
        seen["checked"] += 1
    except OverloadedError:
        seen["refused"] += 1


async def under_flood(_dsn: str, profile: str) -> Figures:
    """With the rules that ship, but no limit on all attempts together: a cluster under attack, or one just restarted,
    has not used it up. `calm`: no logins at all, for as long.
    """
    seen: Counter[str] = Counter()
    rules = HashRules(overall=1_000_000)
    over = asyncio.Event()
    async with build_passwords(rules, read_switches("optimised" if profile == CALM else profile), Meters()) as hasher:
        await asyncio.sleep(WARM_S)
        streaming = asyncio.create_task(stream(over))
        await (asyncio.sleep(LASTS_S) if profile == CALM else flood(hasher, seen))
        over.set()
        late = await streaming
    figures = {"p50 ms": part(late, 0.5) * 1e3, "p99 ms": part(late, 0.99) * 1e3}
    return figures | {f"logins {name}": float(count) for name, count in seen.items()}


def cases() -> Iterator[Case]:
    """The flood on both paths, and the same time without one."""
    yield Case("logins", FLOOD, "none", OURS, partial(under_flood, profile=OURS))
    yield Case("logins", FLOOD, "none", CALM, partial(under_flood, profile=CALM))
    yield Case("logins", FLOOD, "none", "rollback", partial(under_flood, profile="rollback"), every=3)
