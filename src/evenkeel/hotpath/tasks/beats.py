"""One round of heartbeats: keeps leases, and learns what is lost and what should stop."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from evenkeel.hotpath.ports.agent_tasks import AgentTasks
from evenkeel.hotpath.tasks.jobs import HeldJobs, Job, Stop
from evenkeel.kernel.clock import Clock
from evenkeel.kernel.errors import EvenkeelError

YOUNG_PART = 1 / 6
"""A lease younger than this part of its length needs no heartbeat yet: short tasks never cost one."""


@dataclass(frozen=True, slots=True)
class Findings:
    """Jobs that must end, each with the reason; `failed` = storage did not answer this round."""

    ended: tuple[tuple[Job, Stop], ...]
    failed: bool = False


async def beat(
    tasks: AgentTasks, jobs: Sequence[Job], lease_s: float, clock: Clock, *, within_s: float | None = None
) -> Findings:
    """Extend the leases of these jobs. When storage does not answer `within_s`, those whose time is over have
    expired: nobody else may have taken them yet, but nothing keeps them from it.
    """
    if not jobs:
        return Findings(())
    sent = clock.monotonic_s()
    try:
        async with asyncio.timeout(lease_s / 3 if within_s is None else within_s):
            found = await tasks.heartbeat([job.held for job in jobs], lease_s)
    except (EvenkeelError, TimeoutError):
        now = clock.monotonic_s()
        return Findings(tuple((job, Stop.EXPIRED) for job in jobs if now >= job.good_until), failed=True)
    for job in jobs:
        if job.task.task_id not in found.lost:
            job.good_until = sent + lease_s
    lost = [(job, Stop.LOST) for job in jobs if job.task.task_id in found.lost]
    cancelled = [(job, Stop.CANCELLED) for job in jobs if job.task.task_id in found.cancelled]
    return Findings((*lost, *cancelled))


def due(held: HeldJobs, lease_s: float, clock: Clock) -> list[Job]:
    """The jobs whose lease should be extended now. Whose outcome is on its way to storage is left alone: it would
    read as lost the moment it is stored.
    """
    newest = clock.monotonic_s() + lease_s * (1 - YOUNG_PART)
    return held.those(lambda job: job.good_until <= newest and not job.settling)


def apply(findings: Findings, held: HeldJobs) -> tuple[Job, ...]:
    """On the loop: end what must end; answers the jobs whose lease is gone. What was settled meanwhile is left alone."""
    gone = []
    for job, why in findings.ended:
        if job.settling or not held.holds(job):
            continue
        job.end(why)
        if why is not Stop.CANCELLED:
            gone.append(job)
    return tuple(gone)
