"""A process with one part at work: `python part_child.py <what> <dsn> <profile>`; it tells on stdout what it does."""

from __future__ import annotations

import asyncio
import sys

from evenkeel.hotpath.limiter import LimiterRules, build_limiter
from evenkeel.hotpath.outbox import build_outbox
from evenkeel.hotpath.ports.dispatcher import SendClass, Sender, SendResult
from evenkeel.hotpath.ports.errors import FencedError
from evenkeel.hotpath.ports.limiter import Admission
from evenkeel.hotpath.ports.outbox_rows import ClaimedMessage
from evenkeel.hotpath.storage import StorageSettings, build_storage
from evenkeel.hotpath.switches import read_switches
from evenkeel.kernel.metrics import Meters
from tests.outboxes import SENDING, SENT, TEMPLATES
from tests.queues import sample
from tests.storages import Place
from tests.streams import EAGER, SWEPT, delta, instance

LEASE_S = 2.5


def tell(*words: object) -> None:
    print(*words, flush=True)


async def asked() -> None:
    """Until the parent writes a line."""
    await asyncio.to_thread(sys.stdin.readline)


async def dispatching(place: Place, sender: Sender) -> None:
    """An outbox at work until asked; then what its fence rejected."""
    meters, switches = Meters(), read_switches(place.profile)
    async with build_storage(StorageSettings(place.dsn, janitor=None), switches, meters) as storage:
        async with build_outbox(SENDING, switches, meters, storage, templates=TEMPLATES) as dispatcher:
            serving = asyncio.create_task(dispatcher.serve(sender))
            await asked()
        await serving
    tell("counted", int(sample(meters, "evenkeel_storage_fenced_total", what="delivery")))


async def send_quickly(place: Place) -> None:
    """Sends, telling of every message: what was told has gone out."""

    async def sender(claimed: ClaimedMessage) -> SendResult:
        await asyncio.sleep(0.002)
        tell("sent", claimed.outbox_id, claimed.attempt, claimed.idempotency_key)
        await asyncio.sleep(0.002)
        return SENT

    await dispatching(place, sender)


async def send_once_told(place: Place) -> None:
    """Holds a message in the middle of its send for as long as it is paused from outside."""

    async def sender(claimed: ClaimedMessage) -> SendResult:
        tell("sending", claimed.outbox_id, claimed.attempt, claimed.idempotency_key)
        await asyncio.sleep(0.3)
        return SendResult(SendClass.SENT)

    await dispatching(place, sender)


async def hold_session(place: Place) -> None:
    """Admitted to a session until asked; tells when the grant is lost."""
    meters, switches = Meters(), read_switches(place.profile)
    rules = LimiterRules(lease_s=1.0)
    async with (
        build_storage(StorageSettings(place.dsn, janitor=None), switches, meters) as storage,
        build_limiter(rules, switches, meters, storage=storage) as limiter,
    ):
        grant = await limiter.admit(Admission("s", "u", "child"))
        lost = asyncio.Event()
        grant.on_lost(lost.set)
        tell("admitted", grant.lease.epoch)
        await lost.wait()
        tell("lost" if grant.lost else "told without reason")
        await grant.release()
        await asked()
    tell("counted", int(sample(meters, "evenkeel_storage_fenced_total", what="lease")))


async def write_run(place: Place) -> None:
    """Deltas of one run, a flush after every third; what was told is stored."""
    async with instance(place, bus_rules=SWEPT, writer_rules=EAGER) as here:
        run = await here.writer.begin("s", "u")
        number = 0
        try:
            while True:
                for _ in range(3):
                    await run.emit(delta(f"{number} "))
                    number += 1
                await run.flush()
                tell("flushed", number)
                await asyncio.sleep(0.001)
        except FencedError:
            tell("fenced", int(here.count("evenkeel_storage_fenced_total", what="event")))


if __name__ == "__main__":
    works = {each.__name__: each for each in (send_quickly, send_once_told, hold_session, write_run)}
    what, dsn, profile = sys.argv[1:]
    asyncio.run(works[what](Place(dsn, profile)))
