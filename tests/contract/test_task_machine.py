"""The table of tasks against a model, in any order of claims, outcomes, deaths, cancels and passing time."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar

from hypothesis import HealthCheck, settings, stateful
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from evenkeel.hotpath.ports.agent_tasks import ClaimedTask, Completion, Held, NewTask, TaskStatus
from evenkeel.hotpath.ports.storage import Storage
from evenkeel.hotpath.storage import StorageSettings, build_storage
from evenkeel.hotpath.switches import read_switches
from evenkeel.kernel.clock import ManualClock
from evenkeel.kernel.metrics import Meters

T = TypeVar("T")
LEASE_S = 10.0
LAST = {TaskStatus.SUCCESS, TaskStatus.FAILED, TaskStatus.CANCELLED, TaskStatus.DEAD}


class TaskMachine(RuleBasedStateMachine):
    """Workers remember every claim they ever had, and may speak up under any of them."""

    @initialize()
    def start(self) -> None:
        self.runner = asyncio.Runner()
        self.folder = tempfile.TemporaryDirectory()
        self.clock = ManualClock()
        dsn = f"sqlite:///{Path(self.folder.name) / 'tasks.db'}"
        settings = StorageSettings(dsn, janitor=None, clock=self.clock, synchronous="normal")
        self.opened = build_storage(settings, read_switches(), Meters())
        self.storage: Storage = self.do(self.opened.__aenter__())
        self.queued: dict[str, NewTask] = {}
        self.claims: list[ClaimedTask] = []
        self.newest: dict[str, int] = {}
        self.final: dict[tuple[str, int], TaskStatus] = {}

    def teardown(self) -> None:
        if hasattr(self, "opened"):
            self.do(self.opened.__aexit__(None, None, None))
            self.runner.close()
            self.folder.cleanup()

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(work)

    def statuses(self) -> dict[str, tuple[TaskStatus, int]]:
        rows = self.do(self.storage.tasks.of_session("s", 1000))
        return {row.task_id: (row.status, row.attempt) for row in rows}

    @rule(
        thread=st.sampled_from(["", "", "a", "b"]),
        priority=st.integers(0, 3),
        delay_s=st.sampled_from([0.0, 0.0, 5.0]),
        max_attempts=st.integers(1, 3),
    )
    def queue(self, thread: str, priority: int, delay_s: float, max_attempts: int) -> None:
        name = f"t{len(self.queued)}"
        self.queued[name] = new = NewTask(
            name, b"", "u", "s", thread, priority=priority, delay_s=delay_s, max_attempts=max_attempts
        )
        assert self.do(self.storage.tasks.enqueue([new])) == 1
        assert self.do(self.storage.tasks.enqueue([new])) == 0

    @rule(limit=st.integers(1, 4))
    def claim(self, limit: int) -> None:
        before = self.statuses()
        got = self.do(self.storage.tasks.claim("w", limit, LEASE_S))
        assert len(got) <= limit
        for each in got:
            assert before[each.task_id][0] is TaskStatus.PENDING
            assert each.attempt == self.newest.get(each.task_id, 0) + 1
            self.newest[each.task_id] = each.attempt
        self.claims += got

    @precondition(lambda self: self.claims)
    @rule(data=st.data(), status=st.sampled_from([*LAST - {TaskStatus.DEAD}, TaskStatus.RETRY, TaskStatus.PENDING]))
    def speak(self, data: st.DataObject, status: TaskStatus) -> None:
        """An outcome counts only under the attempt that is running, and only once."""
        claim = data.draw(st.sampled_from(self.claims))
        key = (claim.task_id, claim.attempt)
        before = self.statuses()[claim.task_id]
        settled = self.do(self.storage.tasks.complete([Completion(*key, status, retry_in_s=3.0)]))
        after = self.statuses()[claim.task_id]
        if before == (TaskStatus.RUNNING, claim.attempt):
            assert settled.accepted == {claim.task_id}
            if after[0] in LAST:
                assert key not in self.final
                self.final[key] = after[0]
        else:
            assert after == before
            if claim.attempt != before[1]:
                assert settled.fenced == {claim.task_id}

    @precondition(lambda self: self.claims)
    @rule(data=st.data())
    def beat(self, data: st.DataObject) -> None:
        claim = data.draw(st.sampled_from(self.claims))
        runs = self.statuses()[claim.task_id] == (TaskStatus.RUNNING, claim.attempt)
        beat = self.do(self.storage.tasks.heartbeat([Held(claim.task_id, claim.attempt)], LEASE_S))
        assert (claim.task_id in beat.lost) is not runs

    @precondition(lambda self: self.queued)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.queued)))
        before = self.statuses()[name][0]
        answer = self.do(self.storage.tasks.cancel_task(name))
        waiting = before in {TaskStatus.PENDING, TaskStatus.RETRY}
        assert answer is (TaskStatus.CANCELLED if waiting else before)

    @rule(seconds=st.sampled_from([1.0, 4.0, 11.0]))
    def pass_time(self, seconds: float) -> None:
        self.clock.advance(seconds)

    @rule()
    def keep_up(self) -> None:
        self.do(self.storage.tasks.upkeep())

    @precondition(lambda self: self.queued)
    @rule()
    def revive(self) -> None:
        self.do(self.storage.tasks.revive(sorted(self.queued)))

    @invariant()
    def one_of_a_thread_runs(self) -> None:
        if not hasattr(self, "queued"):
            return
        running = [name for name, (status, _) in self.statuses().items() if status is TaskStatus.RUNNING]
        threads = [self.queued[name].thread_id for name in running if self.queued[name].thread_id]
        assert len(threads) == len(set(threads))

    @invariant()
    def attempts_only_rise(self) -> None:
        if hasattr(self, "queued"):
            assert {n: a for n, (_, a) in self.statuses().items() if a} == self.newest


def test_tasks_against_a_model() -> None:
    """Afterwards everything can be finished: no order of events leaves a task that nobody can claim."""
    stateful.run_state_machine_as_test(
        Finishing,
        settings=settings(
            max_examples=40,
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            database=None,
        ),
    )


class Finishing(TaskMachine):
    """At the end, honest workers finish what is left."""

    def teardown(self) -> None:
        if hasattr(self, "opened"):
            for _ in range(200):
                self.clock.advance(LEASE_S + 1)
                self.do(self.storage.tasks.upkeep())
                got = self.do(self.storage.tasks.claim("w", 50, LEASE_S))
                self.do(
                    self.storage.tasks.complete([Completion(g.task_id, g.attempt, TaskStatus.SUCCESS) for g in got])
                )
                if all(status in LAST for status, _ in self.statuses().values()):
                    break
            assert all(status in LAST for status, _ in self.statuses().values())
        super().teardown()
