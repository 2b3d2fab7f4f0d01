"""The worker: takes an order through its turn, holding what a turn must hold, and sees to its end whatever happens.

It holds the session's lease (one run of a session at a time, everywhere), the task (so that another process takes the
turn up if this one dies), the stream (one writer, fenced by the task's attempt) and a token that hears of a cancel.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from functools import partial

from evenkeel.hotpath.ports.agent_tasks import ClaimedTask, TaskStatus
from evenkeel.hotpath.ports.bounded import MapRules
from evenkeel.hotpath.ports.cancellation import CancelToken
from evenkeel.hotpath.ports.errors import SessionBusyError, StoppedError
from evenkeel.hotpath.ports.event_writer import Draft
from evenkeel.hotpath.ports.limiter import Admission, Grant
from evenkeel.hotpath.ports.task_queue import Handler, Outcome, TaskContext
from evenkeel.kernel.errors import EvenkeelError, OverloadedError, UsageError
from evenkeel.serve.agent.at_work import AtWork, Turn
from evenkeel.serve.agent.attempt import Attempts
from evenkeel.serve.agent.kit import Kit
from evenkeel.serve.agent.narration import cancelled
from evenkeel.serve.agent.orders import Order, order_of, owner_of, queue_data
from evenkeel.serve.agent.together import to_the_end
from evenkeel.serve.agent.tracing import told
from evenkeel.serve.ports.failures import RunRefusedError
from evenkeel.serve.ports.runs import Begun

SESSION_WAIT_S = 5.0
"""How long a queued run waits at a time for a session that someone holds; then it looks who that is."""
ENDED, ENDED_S = 10_000, 30.0
"""Sessions remembered after a run ended here, until its outcome is stored for certain."""


def _unheard(*, cancelled: bool) -> EvenkeelError:
    """Why a run that somebody waits for did not begin."""
    if cancelled:
        return RunRefusedError("CANCELLED", "The run was cancelled before it began.")
    return OverloadedError("The run was stopped before it began.", hint="Ask again.")


class Worker:
    """`handle` is the queue's handler; `direct` makes one for a run whose caller waits and was admitted already."""

    def __init__(self, kit: Kit) -> None:
        self._kit = kit
        self._parts = kit.parts
        self.at_work: dict[str, AtWork] = {}  # by session; bounded by the limiter and the queue's workers
        self.attempts = Attempts(kit)
        rules: MapRules[str, str] = MapRules("agent_ended", ENDED, ttl_s=ENDED_S)
        self.ended = kit.parts.maps.map(rules)  # session -> its last task here

    async def handle(self, task: ClaimedTask, context: TaskContext) -> Outcome:
        """A queued run, or one that another process left."""
        try:
            order = order_of(task)
        except UsageError as error:
            return Outcome(TaskStatus.FAILED, error.message)
        try:
            grant = await self._admitted(task, order)
        except asyncio.CancelledError:
            if context.cancelled:  # before it had a stream of its own to say so
                await to_the_end(self._never_came(task, order))
            raise
        return await self._hold(Turn(task, context, order, grant))

    def direct(self, order: Order, grant: Grant, hear: asyncio.Future[Begun]) -> Handler:
        """A run that begins now; `hear` gets what its caller waits for, or why there is none."""

        async def handle(task: ClaimedTask, context: TaskContext) -> Outcome:
            cancelled = False
            try:
                outcome = await self._hold(Turn(task, context, order, grant, hear))
                cancelled = outcome.status is TaskStatus.CANCELLED
                return outcome
            finally:
                if not hear.done():
                    hear.set_exception(_unheard(cancelled=cancelled or context.cancelled))

        return handle

    # what a turn holds

    async def _admitted(self, task: ClaimedTask, order: Order) -> Grant:
        """Wait for a slot and for the session; the task's own lease is kept by its heartbeats meanwhile."""
        owner = owner_of(task.task_id, task.attempt)
        wait_s = self._kit.settings.admission.slot_wait_s
        request = order.request
        asked = Admission(
            order.session_id, request.user_id, owner, request.agent_id, request.is_admin, wait_s, SESSION_WAIT_S
        )
        await self._free_of_earlier_attempt(task, order.session_id)
        while True:
            try:
                return await self._parts.limiter.admit(asked)
            except OverloadedError:
                continue  # it stays in line
            except SessionBusyError:
                await self._free_of_earlier_attempt(task, order.session_id)

    async def _stopped_early(self, turn: Turn, mine: AtWork) -> Outcome:
        """Cancelled; one that could not speak for itself yet is spoken for."""
        mine.over = True
        if mine.voice is None:
            await to_the_end(self._never_came(turn.task, turn.order, opened=mine.opened))
        return Outcome(TaskStatus.CANCELLED, "cancelled")

    async def _never_came(self, task: ClaimedTask, order: Order, *, opened: bool = False) -> None:
        """The last word of a run that is cancelled before it had a voice, here or in a process that is gone.

        Nobody else says it: whoever cancels ends streams that are open, and speaks for what no worker has.
        """
        with suppress(EvenkeelError):
            told = opened or (
                task.attempt == 1 and not order.queued
            )  # then its caller waits, and nobody else knows of it
            if opened or task.attempt > 1:
                settled = await self._parts.writer.settle(order.session_id, cancelled())
                told = told or settled is not None or bool((await self.attempts.left(task, order)).ended)
            if not told:
                await self._parts.writer.say(order.session_id, order.request.user_id, cancelled())
            if order.queued:
                failed = Draft("queue_fail", queue_data(task.task_id, order, "cancelled"))
                await self._parts.writer.say(order.session_id, order.request.user_id, failed)

    async def _free_of_earlier_attempt(self, task: ClaimedTask, session_id: str) -> None:
        """That this attempt could be claimed is the evidence: the process of the one before has lost its task, so its
        hold on the session is nothing that anyone lives on.
        """
        if task.attempt == 1:
            return
        held = (await self._parts.storage.leases.live([session_id])).get(session_id)
        if held is not None and held.owner.startswith(f"{task.task_id}/"):
            await self._parts.storage.leases.release(held)

    async def _hold(self, turn: Turn) -> Outcome:
        owner = owner_of(turn.task.task_id, turn.task.attempt)
        mine = AtWork(owner)
        async with turn.grant:
            self.at_work[turn.session_id] = mine
            try:
                with self._parts.cancellation.token(turn.session_id, owner) as token:
                    outcome = await self._stoppable(turn, token, mine)
                if outcome.status is not TaskStatus.RETRY:
                    self.ended[turn.session_id] = turn.task.task_id
                return outcome
            finally:
                mine.over = True
                await turn.grant.release()
                if self.at_work.get(turn.session_id) is mine:
                    del self.at_work[turn.session_id]
                mine.gone.set()

    async def _stoppable(self, turn: Turn, token: CancelToken, mine: AtWork) -> Outcome:
        """The work in a task of its own, which a cancel, a lost lease or a closing queue ends."""
        work = asyncio.get_running_loop().create_task(
            told(self._parts.spans, turn.task, turn.order, partial(self.attempts.work, turn, token, mine))
        )

        def stop(*_: object) -> None:
            if not (mine.ending or mine.cancelling):  # else it has its last word already, or is about to say it
                mine.cancelling = True
                work.cancel()

        token.on_cancel(stop)
        turn.grant.on_lost(stop)
        interrupted = await _over(work, stop)
        if work.cancelled() or isinstance(work.exception(), StoppedError):
            if not work.cancelled() or await self.attempts.stopped(turn, token):
                return await self._stopped_early(turn, mine)
            if interrupted:
                raise asyncio.CancelledError
            return Outcome(TaskStatus.RETRY, "The session's lease was lost.")
        return work.result()


async def _over(work: asyncio.Task[Outcome], stop: Callable[[], None]) -> bool:
    """Wait for the work; whether the handler was told to end meanwhile. It is told once more than by `stop`, when the queue
    closes: then the work lets go, whatever it is about.
    """
    told = 0
    while not work.done():
        try:
            await asyncio.wait([work])
        except asyncio.CancelledError:
            told += 1
            if told == 1:
                stop()
            else:
                work.cancel()
    return told > 0
