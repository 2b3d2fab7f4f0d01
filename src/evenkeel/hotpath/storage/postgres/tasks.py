"""Agent tasks on PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import asyncpg

from evenkeel.hotpath.ports.agent_tasks import (
    Beat,
    CancelledSession,
    ClaimedTask,
    Completion,
    Depth,
    Held,
    LastWords,
    NewTask,
    Settled,
    TaskRecord,
    TaskStatus,
    Upkeep,
)
from evenkeel.hotpath.storage.checks import check_ids, check_payload, distinct, shortened
from evenkeel.hotpath.storage.postgres.access import Access
from evenkeel.hotpath.storage.postgres.connections import Connection
from evenkeel.hotpath.storage.postgres.events import PostgresEvents
from evenkeel.hotpath.storage.rows import Row, claimed_tasks, task_record


@dataclass(frozen=True, slots=True)
class PostgresTasks:
    """`AgentTasks` and `UnclaimedTasks`."""

    access: Access
    events: PostgresEvents

    async def enqueue(self, tasks: Sequence[NewTask]) -> int:
        """See the port."""
        self._check(tasks)
        new = await self.access.run.run("enqueue_tasks", lambda db: self._enqueue(db, tasks))
        self.access.meter.wrote("agent_tasks", new)
        return new

    async def claim(self, worker: str, limit: int, lease_s: float) -> list[ClaimedTask]:
        """See the port."""
        return claimed_tasks(await self.access.rows("claim_tasks", self.access.now(), worker, lease_s, limit))

    async def take(self, task: NewTask, worker: str, lease_s: float) -> ClaimedTask | None:
        """See the port."""
        self._check([task])
        values = (
            *(self.access.now(), self.access.settings.task_ageing_s),
            *(task.task_id, task.thread_id, task.user_id, task.agent_id, task.session_id),
            *(task.priority, task.max_attempts, task.ttl_s, task.payload, task.request_id, worker, lease_s),
        )
        rows = await self.access.rows("take_task", *values)
        self.access.meter.wrote("agent_tasks", len(rows))
        return claimed_tasks(rows)[0] if rows else None

    async def heartbeat(self, held: Sequence[Held], lease_s: float) -> Beat:
        """See the port."""
        if not held:
            return Beat(frozenset(), frozenset())
        ids, attempts = [h.task_id for h in held], [h.attempt for h in held]
        rows = await self.access.rows("heartbeat_tasks", self.access.now(), lease_s, ids, attempts)
        lost = frozenset(ids) - {row[0] for row in rows}
        self.access.meter.rejected("heartbeat", len(lost))
        return Beat(lost, frozenset(row[0] for row in rows if row[1]))

    async def complete(self, completions: Sequence[Completion]) -> Settled:
        """See the port."""
        if not completions:
            return Settled(frozenset(), frozenset())
        wanted = frozenset(completion.task_id for completion in completions)
        columns = _columns(completions)
        rows = await self.access.rows("complete_tasks", self.access.now(), *columns)
        accepted = {row[0] for row in rows}
        if len(accepted) < len(wanted):
            repeats = await self.access.rows("were_completed", *columns[:3])
            accepted |= {row[0] for row in repeats}
        await self._promote(row[1] for row in rows if not row[2])
        self.access.meter.wrote("agent_tasks", len(accepted))
        self.access.meter.rejected("completion", len(wanted - accepted))
        return Settled(frozenset(accepted), wanted - accepted)

    async def cancel_task(self, task_id: str) -> TaskStatus | None:
        """See the port."""
        await self._cancel([task_id])
        row = await self.access.row("task_status", task_id)
        return None if row is None else TaskStatus(row[0])

    async def cancel_session(
        self, session_id: str, words: LastWords | None = None, *, sparing: str = ""
    ) -> CancelledSession:
        """See the port."""

        async def cancel(db: Connection) -> CancelledSession:
            async with db.transaction():
                rows = await self.access.on(db, "end_session", self.access.now(), session_id, sparing)
                return await self.events.say_last(db, session_id, [task_record(row) for row in rows], words, sparing)

        ended = await self.access.run.run("cancel_session", cancel)
        await self._promote(task.thread_id for task in ended.tasks if task.status is not TaskStatus.RUNNING)
        return ended

    async def active(self, session_ids: Sequence[str], besides: Sequence[str] = ()) -> frozenset[str]:
        """See the port."""
        rows = await self.access.rows("sessions_with_tasks", list(session_ids), list(besides))
        return frozenset(row[0] for row in rows)

    async def of_session(self, session_id: str, limit: int = 50) -> list[TaskRecord]:
        """See the port."""
        return [task_record(row) for row in await self.access.rows("tasks_of_session", session_id, limit)]

    async def upkeep(self, limit: int = 500) -> Upkeep:
        """See the port."""
        now = self.access.now()
        recovered = await self.access.rows("recover_expired", now, limit)
        woken = await self.access.rows("wake_due", now, limit)
        overdue = await self.access.rows("bury_overdue", now, limit)
        stuck = await self.access.rows("stuck_threads", limit)
        ended = [row[0] for row in recovered if row[1] != TaskStatus.PENDING.value]
        promoted = await self._promote([*ended, *(row[0] for row in overdue), *(row[0] for row in stuck)])
        due = await self.access.rows("next_due", now)
        dead = len(overdue) + sum(row[1] == TaskStatus.DEAD.value for row in recovered)
        return Upkeep(len(recovered), len(woken), dead, promoted, due[0][0])

    async def dead(self, limit: int = 50) -> list[TaskRecord]:
        """See the port."""
        return [task_record(row) for row in await self.access.rows("dead_tasks", limit)]

    async def revive(self, task_ids: Sequence[str]) -> int:
        """See the port."""
        rows = await self.access.rows("revive_tasks", self.access.now(), list(task_ids))
        await self._promote(row[0] for row in rows)
        return len(rows)

    async def depth(self, bound: int = 10_000) -> Depth:
        """See the port."""
        waiting, oldest = (await self.access.rows("waiting_depth", self.access.now(), bound))[0]
        running = (await self.access.rows("running_depth", bound))[0][0]
        return Depth(waiting, running, max(0.0, oldest or 0.0))

    async def prune(self, older_than_s: float, limit: int = 1000) -> int:
        """See the port."""
        return len(await self.access.rows("prune_tasks", self.access.now(), older_than_s, limit))

    async def pending(self, limit: int = 50) -> list[TaskRecord]:
        """See the port."""
        return [task_record(row) for row in await self.access.rows("pending_tasks", self.access.now(), limit)]

    async def start(self, task_id: str, worker: str, lease_s: float) -> ClaimedTask | None:
        """See the port."""
        rows = await self.access.rows("start_task", self.access.now(), task_id, worker, lease_s)
        return claimed_tasks(rows)[0] if rows else None

    def _check(self, tasks: Sequence[NewTask]) -> None:
        bounds = self.access.settings.bounds
        for task in tasks:
            words = (task.task_id, task.thread_id, task.session_id, task.user_id, task.agent_id, task.request_id)
            check_ids(bounds.id_bytes, *words)
            check_payload("A task", task.payload, bounds.task_bytes)

    async def _enqueue(self, db: Connection, tasks: Sequence[NewTask]) -> int:
        """One statement, unless someone of a thread is in front: then the rest follows in the same transaction."""
        if all(not task.thread_id for task in tasks):
            return len(await self.access.on(db, "enqueue_tasks", *self._new(tasks)))
        async with db.transaction():
            first = {row[0] for row in await self.access.on(db, "enqueue_tasks", *self._new(tasks))}
            rest = [task for task in tasks if task.thread_id and task.task_id not in first]
            behind = await self.access.on(db, "enqueue_in_line", *self._new(rest)) if rest else []
        if behind:  # whoever was in front may have finished before it could see these
            await self._promote_on(db, [task.thread_id for task in rest])
        return len(first) + len(behind)

    def _new(self, tasks: Sequence[NewTask]) -> tuple[object, ...]:
        return (
            self.access.now(),
            self.access.settings.task_ageing_s,
            [task.task_id for task in tasks],
            [task.thread_id for task in tasks],
            [task.user_id for task in tasks],
            [task.agent_id for task in tasks],
            [task.session_id for task in tasks],
            [task.priority for task in tasks],
            [task.max_attempts for task in tasks],
            [task.delay_s for task in tasks],
            [task.ttl_s for task in tasks],
            [task.payload for task in tasks],
            [task.request_id for task in tasks],
        )

    async def _cancel(self, task_ids: list[str]) -> None:
        if not task_ids:
            return
        waiting = await self.access.rows("cancel_waiting", self.access.now(), task_ids)
        await self.access.rows("cancel_running", self.access.now(), task_ids)
        await self._promote(row[1] for row in waiting)

    async def _promote(self, thread_ids: Iterable[str]) -> int:
        """Let the next task of each thread have its turn."""
        threads = distinct(thread_ids)
        if not threads:
            return 0
        return await self.access.run.run("promote_threads", lambda db: self._promote_on(db, threads))

    async def _promote_on(self, db: Connection, thread_ids: Iterable[str]) -> int:
        try:
            rows: list[Row] = await self.access.on(db, "promote_threads", self.access.now(), distinct(thread_ids))
        except asyncpg.UniqueViolationError:
            return 0  # another instance promoted at the same moment; upkeep looks again for the rest
        return len(rows)


def _columns(completions: Sequence[Completion]) -> tuple[list[object], ...]:
    return (
        [completion.task_id for completion in completions],
        [completion.attempt for completion in completions],
        [completion.status.value for completion in completions],
        [shortened(completion.error) for completion in completions],
        [completion.retry_in_s for completion in completions],
    )
