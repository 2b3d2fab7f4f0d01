"""The task queue keeps its promises on both databases and both paths."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from evenkeel.hotpath.ports.agent_tasks import ClaimedTask, TaskStatus
from evenkeel.hotpath.ports.stream_events import Cursor, EventBatch
from evenkeel.hotpath.ports.task_queue import Outcome, QueueRules, TaskContext
from evenkeel.hotpath.switches import read_switches
from evenkeel.hotpath.tasks import build_tasks, outcome_of_event
from evenkeel.kernel.errors import ConfigurationError, UsageError
from evenkeel.kernel.metrics import Meters
from tests.queues import QUICK, Log, running, sample, settled, task, until
from tests.storages import Place


async def test_what_is_submitted_runs_and_its_outcome_is_stored(place: Place) -> None:
    log = Log()
    async with running(place, log.handler) as one:
        names = [f"t{n}" for n in range(30)]
        assert await one.queue.submit(*(task(name) for name in names)) == 30
        assert await one.queue.submit(task("t0"), task("t1")) == 0
        assert set((await settled(one.storage, *names)).values()) == {TaskStatus.SUCCESS}
    assert sorted(log.ran) == sorted(names)


@pytest.mark.parametrize(
    ("outcome", "status"),
    [
        (outcome_of_event("final"), TaskStatus.SUCCESS),
        (outcome_of_event("error", "the model refused"), TaskStatus.FAILED),
        (outcome_of_event("cancelled"), TaskStatus.CANCELLED),
        (outcome_of_event("tool_result"), TaskStatus.FAILED),
        (Outcome(TaskStatus.PENDING), TaskStatus.FAILED),
        ("done", TaskStatus.FAILED),
        (None, TaskStatus.FAILED),
    ],
)
async def test_the_outcome_is_the_terminal_event(place: Place, outcome: Outcome, status: TaskStatus) -> None:
    """Lesson q: a run that ended in an error is never a success, and neither is an answer that means nothing."""
    log = Log(outcome=outcome)
    async with running(place, log.handler) as one:
        await one.queue.submit(task("t"))
        assert await settled(one.storage, "t") == {"t": status}


async def test_an_exception_is_tried_again_and_ends_as_a_dead_letter(place: Place) -> None:
    async def fail(claimed: ClaimedTask, context: TaskContext) -> None:
        raise ValueError("no luck \0 \ud800")

    log = Log(during=fail)
    async with running(place, log.handler) as one:
        await one.queue.submit(task("t", max_attempts=3))
        assert await settled(one.storage, "t") == {"t": TaskStatus.DEAD}
        (dead,) = await one.storage.tasks.dead()
        assert "ValueError: no luck" in dead.last_error
    assert log.attempts == [1, 2, 3]


async def test_a_handler_may_say_when_to_try_again(place: Place) -> None:
    log = Log(outcome=Outcome(TaskStatus.RETRY, "busy", retry_in_s=0.0))
    async with running(place, log.handler) as one:
        await one.queue.submit(task("t", max_attempts=2))
        assert await settled(one.storage, "t") == {"t": TaskStatus.DEAD}
    assert log.ran == ["t", "t"]


async def test_delayed_tasks_start_when_they_are_due(place: Place) -> None:
    waited: dict[str, float] = {}

    async def note(claimed: ClaimedTask, context: TaskContext) -> None:
        waited[claimed.task_id] = claimed.waited_s

    log = Log(during=note)
    async with running(place, log.handler) as one:
        await one.queue.submit(task("later", delay_s=0.2))
        await one.queue.submit(task("now"))
        await settled(one.storage, "later", "now")
    assert waited["later"] >= 0.2


async def test_tasks_of_a_thread_run_one_after_the_other(place: Place) -> None:
    async def pause(claimed: ClaimedTask, context: TaskContext) -> None:
        await asyncio.sleep(0.005)

    log = Log(during=pause)
    async with running(place, log.handler) as one:
        names = [f"t{n}" for n in range(5)]
        for name in names:
            await one.queue.submit(task(name, thread_id="th"))
        await settled(one.storage, *names)
    assert (log.ran, log.most) == (names, 1)


async def test_tries_go_on_counting_after_a_restart(place: Place) -> None:
    """Lesson k: attempts come from storage, not from a counter in memory."""
    log = Log(outcome=Outcome(TaskStatus.RETRY))
    async with running(place, log.handler) as one:
        await one.queue.submit(task("t", max_attempts=1))
        await settled(one.storage, "t")
    async with running(place, log.handler) as one:
        assert await one.storage.tasks.revive(["t"]) == 1
        await until(lambda: len(log.ran) == 2)
        await settled(one.storage, "t")
    assert log.attempts == [1, 2]


async def test_a_session_is_active_from_queued_to_finished_and_no_longer(place: Place) -> None:
    """Lesson g: queued counts. Lesson j: what a dead worker left does not keep a session busy for ever."""
    log = Log()
    async with running(place) as one:
        await one.queue.submit(task("t"))
        await one.storage.unclaimed_tasks.start("t", "a worker that dies", 0.0)
        assert await one.storage.tasks.active(["s"]) == {"s"}
        async with running(place, log.handler) as other:
            await settled(other.storage, "t")
        assert await one.storage.tasks.active(["s"]) == frozenset()
    assert log.attempts == [2]


async def test_queued_start_and_end_are_one_sequence_with_one_terminal_event(place: Place) -> None:
    """Lesson f: whoever watches the session sees queued, start, output, finish, in the order of ids."""

    async def answer(claimed: ClaimedTask, context: TaskContext) -> None:
        head = await one.storage.events.open("s", "u", fence=context.fence)
        ids = [head.next_id, head.next_id + 1]
        batch = EventBatch("s", "u", head.term, ids, [b"start", b"final"], ids[-1], closing=True, fence=context.fence)
        assert (await one.storage.events.append([batch])).stored == 2

    log = Log(during=answer)
    async with running(place, log.handler) as one:
        await one.storage.events.post("s", "u", b"queued")
        await one.queue.submit(task("t", user_id="u"))
        assert await settled(one.storage, "t") == {"t": TaskStatus.SUCCESS}
        page = await one.storage.events.read(Cursor("s", 0), user_id="u")
    assert [each.payload for each in page.events] == [b"queued", b"start", b"final"]
    assert [each.event_id for each in page.events] == [1, 2, 3]


async def test_both_paths_tell_the_same_story(place: Place) -> None:
    log = Log()
    async with running(place, log.handler) as one:
        await one.queue.submit(task("a"), task("b"))
        await settled(one.storage, "a", "b")
        await until(lambda: sample(one.meters, "evenkeel_tasks_wakeup_mode_info", path=place.profile) == 1)
        assert sample(one.meters, "evenkeel_tasks_submitted_total", path=place.profile) == 2
        finished = "evenkeel_tasks_finished_total"
        assert sample(one.meters, finished, path=place.profile, outcome="success") == 2
        assert sample(one.meters, "evenkeel_tasks_run_seconds_count", path=place.profile) == 2
        assert sample(one.meters, "evenkeel_tasks_wait_seconds_count", path=place.profile) == 2


async def test_a_queue_has_one_handler(place: Place) -> None:
    log = Log()
    async with running(place, log.handler) as one:
        await asyncio.sleep(0)
        with pytest.raises(UsageError, match="already served"):
            await one.queue.serve(log.handler)


@pytest.mark.parametrize("wrong", [{"max_workers": 0}, {"lease_s": 0.0}, {"prefetch": -1}, {"stall_s": 1.0}])
async def test_rules_that_cannot_hold_are_refused(wrong: dict[str, float]) -> None:
    rules: QueueRules = replace(QUICK, **wrong)  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError) as raised:
        async with build_tasks(rules, read_switches(), Meters(), None):  # type: ignore[arg-type]
            pass
    assert raised.value.hint
