"""The outbox: what one dead account of 100 does to the others, and how fast messages go out."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from functools import partial

from evenkeel.hotpath.outbox import DispatchRules, build_outbox, read_templates
from evenkeel.hotpath.ports.dispatcher import Dispatcher, SendClass, Sender, SendResult
from evenkeel.hotpath.ports.outbox_rows import ClaimedMessage, NewMessage
from evenkeel.hotpath.switches import read_switches
from evenkeel.kernel.metrics import Meters
from tests.storages import Place
from tools.parts.cases import ALIVE, ISOLATED, OURS, SENDS, Case, Figures, part

TEMPLATES = read_templates("[chat]\ntimeout_s = 1.0\n")
SENT = SendResult(SendClass.SENT)
ACCOUNTS, RATE, LASTS_S = 100, 200, 5.0
ANSWER_S = 0.005


def message(number: int, account: int) -> NewMessage:
    """One of 100 bytes."""
    return NewMessage(f"m{number}-{time.time_ns()}", "chat", f"account-{account}", "user", "peer", b"x" * 100)


@asynccontextmanager
async def dispatching(place: Place, sender: Sender) -> AsyncIterator[Dispatcher]:
    """A dispatcher with the rules that ship, at work."""
    switches, meters = read_switches(place.profile), Meters()
    async with (
        place.open() as storage,
        asyncio.TaskGroup() as tasks,
        build_outbox(DispatchRules(), switches, meters, storage, templates=TEMPLATES) as dispatcher,
    ):
        tasks.create_task(dispatcher.serve(sender))
        yield dispatcher


async def healthy_delays(place: Place, *, dead: bool) -> list[float]:
    """Seconds from submit to the end of the send, of the 99 accounts that answer; messages come at a steady pace. A
    dead account lets every send run into its time-out.
    """
    queued: dict[str, float] = {}
    seen: list[float] = []
    over = asyncio.Event()
    expected = int(RATE * LASTS_S) // ACCOUNTS * (ACCOUNTS - 1)

    async def sender(claimed: ClaimedMessage) -> SendResult:
        if claimed.account_id == "account-0":
            await asyncio.sleep(3_600 if dead else ANSWER_S)
            return SENT
        await asyncio.sleep(ANSWER_S)
        seen.append(time.perf_counter() - queued.pop(claimed.outbox_id))
        if len(seen) == expected:
            over.set()
        return SENT

    async with dispatching(place, sender) as dispatcher:
        await asyncio.sleep(0.2)
        started = time.perf_counter()
        for number in range(int(RATE * LASTS_S)):
            await asyncio.sleep(max(0.0, started + number / RATE - time.perf_counter()))
            new = message(number, number % ACCOUNTS)
            queued[new.outbox_id] = time.perf_counter()
            await dispatcher.submit(new)
        async with asyncio.timeout(120):
            await over.wait()
    return seen


async def isolated(dsn: str, profile: str, *, dead: bool) -> Figures:
    """What the accounts that answer feel."""
    delays = await healthy_delays(Place(dsn, profile), dead=dead)
    return {"healthy p50 ms": part(delays, 0.5) * 1e3, "healthy p99 ms": part(delays, 0.99) * 1e3}


async def sends(dsn: str, profile: str, count: int) -> Figures:
    """Messages a second from a full outbox to a sender that answers after 5 ms, until the last row is settled."""
    left, sent = count, asyncio.Event()

    async def sender(_claimed: ClaimedMessage) -> SendResult:
        nonlocal left
        await asyncio.sleep(ANSWER_S)
        left -= 1
        if left == 0:
            sent.set()
        return SENT

    place = Place(dsn, profile)
    async with place.open() as storage:
        await storage.outbox.enqueue([message(number, number % ACCOUNTS) for number in range(count)])
    started = time.perf_counter()
    async with dispatching(place, sender):
        await sent.wait()
    return {"messages/s": count / (time.perf_counter() - started)}


def cases() -> Iterator[Case]:
    """The serial loop stands still for a second with every message of the dead account, so it gets fewer."""
    for database in ("postgres", "sqlite"):
        yield Case("outbox", ISOLATED, database, OURS, partial(isolated, profile=OURS, dead=True))
        yield Case("outbox", ISOLATED, database, ALIVE, partial(isolated, profile=OURS, dead=False))
        yield Case("outbox", SENDS, database, OURS, partial(sends, profile=OURS, count=2_000))
        yield Case("outbox", SENDS, database, "rollback", partial(sends, profile="rollback", count=100), every=3)
    yield Case("outbox", ISOLATED, "postgres", "rollback", partial(isolated, profile="rollback", dead=True), every=5)
