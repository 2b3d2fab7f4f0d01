"""The pages of docs/reference about the parts: every metric that they make, and every switch."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack
from pathlib import Path

from evenkeel.hotpath.bounded import build_bounded
from evenkeel.hotpath.cancellation import CancelRules, build_cancellation
from evenkeel.hotpath.events import BusRules, build_bus, live_evidence
from evenkeel.hotpath.lean import build_lean
from evenkeel.hotpath.limiter import LimiterRules, build_limiter
from evenkeel.hotpath.outbox import DispatchRules, build_outbox
from evenkeel.hotpath.passwords import HashRules, build_passwords
from evenkeel.hotpath.ports.task_queue import QueueRules as TaskRules
from evenkeel.hotpath.ports.write_queue import QueueRules
from evenkeel.hotpath.storage import StorageSettings, build_storage
from evenkeel.hotpath.switches import SWITCHES, read_switches
from evenkeel.hotpath.tasks import build_tasks
from evenkeel.hotpath.writes import WriterRules, build_event_writer, build_write_queue
from evenkeel.kernel.metrics import Described, Meters
from evenkeel.kernel.process import build_meter
from evenkeel.serve.app import open_server
from evenkeel.serve.operations import open_logs
from evenkeel.serve.settings import read_settings

Pages = Iterator[tuple[str, str]]
LIGHT = HashRules(memory_kib=64, time_cost=1)


def made_by_the_parts() -> list[Described]:
    """Every metric of both paths, and of the server: they are opened, and asked what they made."""
    meters = Meters()
    build_meter(meters)
    found: dict[str, Described] = {}
    for profile in ("optimised", "rollback"):
        with tempfile.TemporaryDirectory() as folder:
            asyncio.run(_open_all(f"sqlite:///{Path(folder) / 'reference.db'}", profile, meters))
    with tempfile.TemporaryDirectory() as folder:
        of_the_server = asyncio.run(_of_the_server(f"sqlite:///{Path(folder) / 'reference.db'}"))
    for metric in (*of_the_server, *meters.described()):
        found[metric.name] = metric
    return sorted(found.values(), key=lambda each: each.name)


async def _of_the_server(dsn: str) -> list[Described]:
    settings = read_settings(None, {}, {"storage.dsn": dsn, "agent.workspace.enabled": False})
    async with open_server(settings) as server:
        with open_logs(settings.operations, server.parts.meters, settings.profile):
            return server.parts.meters.described()


async def _open_all(dsn: str, profile: str, meters: Meters) -> None:
    switches = read_switches(profile)
    async with AsyncExitStack() as opened:
        storage = await opened.enter_async_context(build_storage(StorageSettings(dsn, janitor=None), switches, meters))
        events, wakeups = storage.events, storage.wakeups
        active = live_evidence(storage.leases, storage.tasks)
        bus = await opened.enter_async_context(
            build_bus(BusRules(), switches, meters, events=events, wakeups=wakeups, active=active)
        )
        writer = await opened.enter_async_context(
            build_event_writer(WriterRules(), switches, meters, events=events, bus=bus, wakeups=wakeups)
        )
        for other in (
            build_limiter(LimiterRules(), switches, meters, storage=storage),
            build_write_queue(QueueRules("reference", _nowhere), switches, meters),
            build_tasks(TaskRules(), switches, meters, storage),
            build_outbox(DispatchRules(), switches, meters, storage),
            build_cancellation(CancelRules(), switches, meters, storage=storage, writer=writer),
            build_passwords(LIGHT, switches, meters),
            build_bounded(switches, meters),
        ):
            await opened.enter_async_context(other)
        build_lean(switches, meters)


async def _nowhere(_records: Sequence[str]) -> None:
    """A sink for a queue that is never written to."""


def metrics_page() -> Pages:
    """By room; the label `path` is everywhere, so it is said once."""
    lines = [
        "# Metrics",
        "",
        "What the parts of `evenkeel.hotpath`, the server and the process tell, in Prometheus' format. Every metric has "
        "the label `path`: `optimised` or `rollback`, `none` where there is no choice. No label holds an id "
        "of a session, a user or a task.",
    ]
    room = ""
    for metric in made_by_the_parts():
        if (mine := metric.name.split("_")[1]) != room:
            room = mine
            lines += [
                "",
                f"## {room.capitalize()}",
                "",
                "| Metric | Kind | More labels | Meaning |",
                "| --- | --- | --- | --- |",
            ]
        labels = ", ".join(f"`{label}`" for label in metric.labels)
        lines.append(f"| `{metric.name}` | {metric.kind} | {labels} | {metric.text} |")
    yield "metrics.md", "\n".join([*lines, ""])


def switches_page() -> Pages:
    """The whole table, with what each side does."""
    lines = [
        "# Switches",
        "",
        'Each is set to `"optimised"`, `"rollback"` or a percentage of sessions such as `"25%"`; a profile sets all of them. '
        "Rows written on one path are read on the other. `/health` shows what was chosen.",
        "",
        "| Switch | Optimised | Rollback | Promise | Measured by | Found by | Review |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for each in SWITCHES:
        cells = (f"`{each.name}`", each.optimised, each.rollback, each.promise, each.scenario)
        rule = f"[`{each.found_by}`](rules/{each.found_by}.md)"
        lines.append(f"| {' | '.join(cells)} | {rule} | {each.review.isoformat()} |")
    yield "switches.md", "\n".join([*lines, ""])
