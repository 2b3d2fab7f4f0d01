"""The outbox: what one dead account of 100 does to the others, and how fast messages go out."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from functools import partial
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from evenkeel.hotpath.outbox import DispatchRules, build_outbox, read_templates
from evenkeel.hotpath.ports.dispatcher import Dispatcher, SendClass, Sender, SendResult
from evenkeel.hotpath.ports.outbox_rows import ClaimedMessage, NewMessage
from evenkeel.hotpath.switches import read_switches
from evenkeel.kernel.metrics import Meters
from tests.storages import Place
from tools.parts.cases import ISOLATED, OURS, SENDS, Case, Figures, part

TEMPLATES = read_templates("[chat]\ntimeout_s = 1.0\n")
SENT = SendResult(SendClass.SENT)
ACCOUNTS, RATE, TURNS = 100, 200, 10  # 4,000 messages a round and arm: 40 of them are slower than the p99
QUANTILES = (("p50 ms", 0.5), ("p99 ms", 0.99))
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


class Arm:
    """One outbox under a steady pace of messages to 100 accounts; notes how long those of the 99 take that answer, from
    submit to the end of the send. A dead account lets every send run into its time-out.
    """

    def __init__(self, *, dead: bool) -> None:
        self.dead = dead
        self.delays: list[float] = []
        self._queued: dict[str, float] = {}
        self._number = 0

    async def sender(self, claimed: ClaimedMessage) -> SendResult:
        """The provider."""
        if claimed.account_id == "account-0":
            await asyncio.sleep(3_600 if self.dead else ANSWER_S)
            return SENT
        await asyncio.sleep(ANSWER_S)
        self.delays.append(time.perf_counter() - self._queued.pop(claimed.outbox_id))
        return SENT

    async def pace(self, dispatcher: Dispatcher, lasts_s: float) -> None:
        """A stretch of messages, and until those of living accounts have gone out."""
        started = time.perf_counter()
        for number in range(int(RATE * lasts_s)):
            await asyncio.sleep(max(0.0, started + number / RATE - time.perf_counter()))
            self._number += 1
            new = message(self._number, self._number % ACCOUNTS)
            if new.account_id != "account-0":
                self._queued[new.outbox_id] = time.perf_counter()
            await dispatcher.submit(new)
        while self._queued:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def isolation(dsn: str) -> Figures:
    """Two outboxes, one with a dead account, take turns of a second: what else the machine does hits both alike."""
    alive, dead = Arm(dead=False), Arm(dead=True)
    async with (
        dispatching(Place(dsn, OURS), alive.sender) as one,
        dispatching(Place(await sibling(dsn), OURS), dead.sender) as other,
    ):
        for turn in range(2 * TURNS):
            order = [(alive, one), (dead, other)]
            for arm, dispatcher in order if turn % 2 else reversed(order):
                await arm.pace(dispatcher, 1.0)
    figures = {f"{name}, one dead": part(dead.delays, share) * 1e3 for name, share in QUANTILES}
    figures |= {f"{name}, all alive": part(alive.delays, share) * 1e3 for name, share in QUANTILES}
    return figures | {"p99, dead / alive": part(dead.delays, 0.99) / part(alive.delays, 0.99)}


async def sibling(dsn: str) -> str:
    """Another empty database beside this one."""
    if not dsn.startswith("postgres"):
        return f"{dsn}-sibling"
    parts = urlsplit(dsn)
    name = f"{parts.path[1:]}_sibling"
    connection = await asyncpg.connect(dsn)
    await connection.execute(f'CREATE DATABASE "{name}"')
    await connection.close()
    return urlunsplit(parts._replace(path=f"/{name}"))


async def stood_still(dsn: str) -> Figures:
    """The same on the old path, for one stretch."""
    arm = Arm(dead=True)
    async with dispatching(Place(dsn, "rollback"), arm.sender) as dispatcher:
        await arm.pace(dispatcher, 5.0)
    return {f"{name}, one dead": part(arm.delays, share) * 1e3 for name, share in QUANTILES}


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
        yield Case("outbox", ISOLATED, database, OURS, isolation)
        yield Case("outbox", SENDS, database, OURS, partial(sends, profile=OURS, count=2_000))
        yield Case("outbox", SENDS, database, "rollback", partial(sends, profile="rollback", count=100), every=3)
    yield Case("outbox", ISOLATED, "postgres", "rollback", stood_still, every=5)
