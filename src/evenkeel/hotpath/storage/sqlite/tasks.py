"""Agent tasks on SQLite."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import apsw

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
from evenkeel.hotpath.storage.rows import claimed_tasks, task_record
from evenkeel.hotpath.storage.sqlite.access import Access, as_json
from evenkeel.hotpath.storage.sqlite.events import SqliteEvents


@dataclass(frozen=True, slots=True)
class SqliteTasks:
    """`AgentTasks` and `UnclaimedTasks`."""

    access: Access
    events: SqliteEvents

    async def enqueue(self, tasks: Sequence[NewTask]) -> int:
        """See the port."""
        self._check(tasks)
        new = await self.access.run.write("enqueue_tasks", lambda db: self._enqueue(db, tasks))
        self.access.meter.wrote("agent_tasks", new)
        return new

    async def claim(self, worker: str, limit: int, lease_s: float) -> list[ClaimedTask]:
        """See the port."""
        rows = await self.access.run.write(
            "claim_tasks",
            lambda db: self.access.rows(db, "claim_tasks", worker=worker, limit=limit, lease_s=lease_s),
        )
        return claimed_tasks(rows)

    async def take(self, task: NewTask, worker: str, lease_s: float) -> ClaimedTask | None:
        """See the port."""
        self._check([task])
        values = {**self._new(task), "worker": worker, "lease_s": lease_s}
        del values["delay_s"]
        rows = await self.access.run.write("take_task", lambda db: self.access.rows(db, "take_task", **values))
        self.access.meter.wrote("agent_tasks", len(rows))
        return claimed_tasks(rows)[0] if rows else None

    async def heartbeat(self, held: Sequence[Held], lease_s: float) -> Beat:
        """See the port."""

        def beat(db: apsw.Connection) -> Beat:
            found = {h.task_id: self._beat(db, h, lease_s) for h in held}
            lost = frozenset(task_id for task_id, flag in found.items() if flag is None)
            return Beat(lost, frozenset(task_id for task_id, flag in found.items() if flag))

        result = await self.access.run.write("heartbeat_tasks", beat) if held else Beat(frozenset(), frozenset())
        self.access.meter.rejected("heartbeat", len(result.lost))
        return result

    async def complete(self, completions: Sequence[Completion]) -> Settled:
        """See the port."""
        settled = await self.access.run.write("complete_tasks", lambda db: self._complete(db, completions))
        self.access.meter.wrote("agent_tasks", len(settled.accepted))
        self.access.meter.rejected("completion", len(settled.fenced))
        return settled

    async def cancel_task(self, task_id: str) -> TaskStatus | None:
        """See the port."""

        def cancel(db: apsw.Connection) -> TaskStatus | None:
            self._cancel(db, task_id)
            row = self.access.row(db, "task_status", task_id=task_id)
            return None if row is None else TaskStatus(row[0])

        return await self.access.run.write("cancel_task", cancel)

    async def cancel_session(
        self, session_id: str, words: LastWords | None = None, *, sparing: str = ""
    ) -> CancelledSession:
        """See the port."""

        def cancel(db: apsw.Connection) -> CancelledSession:
            rows = self.access.rows(db, "unfinished_of_session", session_id=session_id)
            tasks = [task_record(row) for row in rows]
            for task in tasks:
                if task.task_id != sparing or task.status is not TaskStatus.RUNNING:
                    self._cancel(db, task.task_id)
            return self.events.say_last(db, session_id, tasks, words, sparing)

        return await self.access.run.write("cancel_session", cancel)

    async def active(self, session_ids: Sequence[str], besides: Sequence[str] = ()) -> frozenset[str]:
        """See the port."""
        values = {"session_ids": as_json(session_ids), "besides": as_json(besides)}
        rows = await self.access.run.read(
            "sessions_with_tasks", lambda db: self.access.rows(db, "sessions_with_tasks", **values)
        )
        return frozenset(row[0] for row in rows)

    async def of_session(self, session_id: str, limit: int = 50) -> list[TaskRecord]:
        """See the port."""
        rows = await self.access.run.read(
            "tasks_of_session",
            lambda db: self.access.rows(db, "tasks_of_session", session_id=session_id, limit=limit),
        )
        return [task_record(row) for row in rows]

    async def upkeep(self, limit: int = 500) -> Upkeep:
        """See the port."""
        return await self.access.run.write("task_upkeep", lambda db: self._upkeep(db, limit))

    async def dead(self, limit: int = 50) -> list[TaskRecord]:
        """See the port."""
        rows = await self.access.run.read("dead_tasks", lambda db: self.access.rows(db, "dead_tasks", limit=limit))
        return [task_record(row) for row in rows]

    async def revive(self, task_ids: Sequence[str]) -> int:
        """See the port."""

        def revive(db: apsw.Connection) -> int:
            return sum(bool(self.access.rows(db, "revive_task", task_id=task_id)) for task_id in task_ids)

        return await self.access.run.write("revive_tasks", revive)

    async def depth(self, bound: int = 10_000) -> Depth:
        """See the port."""

        def depth(db: apsw.Connection) -> Depth:
            waiting, oldest = self.access.rows(db, "waiting_depth", bound=bound)[0]
            running = self.access.rows(db, "running_depth", bound=bound)[0][0]
            return Depth(waiting, running, max(0.0, oldest or 0.0))

        return await self.access.run.read("task_depth", depth)

    async def prune(self, older_than_s: float, limit: int = 1000) -> int:
        """See the port."""
        return await self.access.run.write(
            "prune_tasks", lambda db: len(self.access.rows(db, "prune_tasks", older_than_s=older_than_s, limit=limit))
        )

    async def pending(self, limit: int = 50) -> list[TaskRecord]:
        """See the port."""
        rows = await self.access.run.read(
            "pending_tasks", lambda db: self.access.rows(db, "pending_tasks", limit=limit)
        )
        return [task_record(row) for row in rows]

    async def start(self, task_id: str, worker: str, lease_s: float) -> ClaimedTask | None:
        """See the port."""
        rows = await self.access.run.write(
            "start_task",
            lambda db: self.access.rows(db, "start_task", task_id=task_id, worker=worker, lease_s=lease_s),
        )
        return claimed_tasks(rows)[0] if rows else None

    def _enqueue(self, db: apsw.Connection, tasks: Sequence[NewTask]) -> int:
        before = db.total_changes()
        now = self.access.settings.now()
        db.executemany(self.access.sql["enqueue_task"], ({**self._new(task), "now": now} for task in tasks))
        return db.total_changes() - before

    def _check(self, tasks: Sequence[NewTask]) -> None:
        bounds = self.access.settings.bounds
        for task in tasks:
            words = (task.task_id, task.thread_id, task.session_id, task.user_id, task.agent_id, task.request_id)
            check_ids(bounds.id_bytes, *words)
            check_payload("A task", task.payload, bounds.task_bytes)

    def _new(self, task: NewTask) -> dict[str, object]:
        return {
            "task_id": task.task_id,
            "thread_id": task.thread_id,
            "user_id": task.user_id,
            "agent_id": task.agent_id,
            "session_id": task.session_id,
            "payload": task.payload,
            "request_id": task.request_id,
            "priority": task.priority,
            "delay_s": task.delay_s,
            "ttl_s": task.ttl_s,
            "max_attempts": task.max_attempts,
            "ageing_s": self.access.settings.task_ageing_s,
        }

    def _beat(self, db: apsw.Connection, held: Held, lease_s: float) -> bool | None:
        row = self.access.row(db, "heartbeat_task", task_id=held.task_id, attempt=held.attempt, lease_s=lease_s)
        return None if row is None else bool(row[0])

    def _complete(self, db: apsw.Connection, completions: Sequence[Completion]) -> Settled:
        accepted: set[str] = set()
        fenced: set[str] = set()
        finished: list[str] = []
        for completion in completions:
            values = {
                "task_id": completion.task_id,
                "attempt": completion.attempt,
                "status": completion.status.value,
            }
            row = self.access.row(
                db, "complete_task", **values, error=shortened(completion.error), retry_in_s=completion.retry_in_s
            )
            if row is not None:
                finished.extend([] if row[1] else [row[0]])
            known = row is not None or self.access.row(db, "was_completed", **values) is not None
            (accepted if known else fenced).add(completion.task_id)
        self._promote(db, finished)
        return Settled(frozenset(accepted), frozenset(fenced))

    def _promote(self, db: apsw.Connection, thread_ids: Iterable[str]) -> int:
        """Let the next task of each thread have its turn."""
        return sum(
            bool(self.access.rows(db, "promote_thread", thread_id=thread_id)) for thread_id in distinct(thread_ids)
        )

    def _cancel(self, db: apsw.Connection, task_id: str) -> None:
        row = self.access.row(db, "cancel_waiting", task_id=task_id)
        if row is None:
            self.access.rows(db, "cancel_running", task_id=task_id)
        else:
            self._promote(db, [row[0]])

    def _upkeep(self, db: apsw.Connection, limit: int) -> Upkeep:
        recovered = self.access.rows(db, "recover_expired", limit=limit)
        woken = self.access.rows(db, "wake_due", limit=limit)
        overdue = self.access.rows(db, "bury_overdue", limit=limit)
        stuck = self.access.rows(db, "stuck_threads", limit=limit)
        ended = [row[0] for row in recovered if row[1] != TaskStatus.PENDING.value]
        promoted = self._promote(db, [*ended, *(row[0] for row in overdue), *(row[0] for row in stuck)])
        due = self.access.rows(db, "next_due")[0][0]
        dead = len(overdue) + sum(row[1] == TaskStatus.DEAD.value for row in recovered)
        return Upkeep(len(recovered), len(woken), dead, promoted, due)
