"""`Runs`: requests in, runs begun or queued; who waits for an answer gets it from the run's own events."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Sequence
from typing import Any

import msgspec
from structlog.contextvars import get_contextvars

from evenkeel.hotpath.ports.agent_tasks import NewTask
from evenkeel.hotpath.ports.bounded import MapRules
from evenkeel.hotpath.ports.bus import Live, Replayed, Settled
from evenkeel.hotpath.ports.cancellation import CancelledBy
from evenkeel.hotpath.ports.errors import SessionBusyError, UnknownSessionError
from evenkeel.hotpath.ports.event_writer import Draft
from evenkeel.hotpath.ports.limiter import Admission, Grant
from evenkeel.hotpath.ports.sessions import NewSession
from evenkeel.hotpath.ports.task_queue import TaskQueue
from evenkeel.hotpath.ports.threads import ThreadStatus
from evenkeel.kernel.errors import OverloadedError
from evenkeel.serve.agent.answering import answer_of, inner_of
from evenkeel.serve.agent.describing import instructions, tools_of
from evenkeel.serve.agent.kit import Kit, settings_for
from evenkeel.serve.agent.looks import Looks
from evenkeel.serve.agent.orders import Order, owner_of, payload_of, queue_data, thread_of
from evenkeel.serve.agent.questions import checked
from evenkeel.serve.agent.states import states
from evenkeel.serve.agent.together import to_the_end
from evenkeel.serve.agent.worker import Worker
from evenkeel.serve.ports.failures import RunFailedError, RunRefusedError
from evenkeel.serve.ports.requests import RunRequest
from evenkeel.serve.ports.runs import Answer, Begun, Queued, RunState

ENDING_S = 2.0
"""How long a request waits for a run that has said its last word to let go of the session."""
LETTING_GO_S = 0.5
"""How long a cancel waits for the run to let go of the session; a tool may be slow to hear of it."""
LOOK_S = 0.02
KNOWN, KNOWN_S = 20_000, 600.0
"""Sessions whose owner need not be asked for again. One that was deleted meanwhile is noticed when its round begins."""


class AgentRuns:
    """`Runs`. A submission is carried out whether or not whoever asked is still there."""

    def __init__(self, kit: Kit, worker: Worker, queue: TaskQueue) -> None:
        self._kit, self._worker, self._queue = kit, worker, queue
        self._parts = kit.parts
        self._asking: set[asyncio.Task[Begun | Queued]] = set()  # bounded by the limiter's waiting
        self.closing = False
        self._looks = Looks(lambda names: states(self._parts.storage, self._worker, names))
        rules: MapRules[str, str] = MapRules("agent_sessions", KNOWN, ttl_s=KNOWN_S)
        self._known = kit.parts.maps.map(rules)  # session -> its user: made or looked up here before

    async def submit(self, request: RunRequest) -> Begun | Queued:
        """See the port."""
        if self.closing:
            raise OverloadedError("The agent is closing.", hint="Ask another instance, or this one once it is back.")
        checked(request, self._kit.settings.history)
        settings_for(self._kit.settings, request.config_overrides)
        task = asyncio.get_running_loop().create_task(self._submit(request))
        self._asking.add(task)
        task.add_done_callback(self._asking.discard)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            task.add_done_callback(_forgotten)
            raise

    async def drained(self) -> None:
        """Nothing is accepted any more, and what was accepted stands."""
        self.closing = True
        if self._asking:
            await asyncio.wait(set(self._asking))

    async def outcome(self, begun: Begun) -> Answer:
        """See the port."""
        shown: dict[str, Any] = {}
        try:
            async for delivery in begun.subscription:
                if isinstance(delivery, Settled):
                    break
                if not isinstance(delivery, (Live, Replayed)):
                    continue
                for event in delivery.events:
                    if event.kind == "a2ui":
                        shown = inner_of(event)
                    if event.terminal:
                        return answer_of(begun.session_id, event, shown)
        finally:
            await begun.subscription.aclose()
        raise RunFailedError("INTERNAL_ERROR", "The run ended without a last word.", hint="Ask again.")

    async def cancel(self, session_id: str, by: CancelledBy = CancelledBy.USER) -> bool:
        """See the port. A run that is saying its last word is left to it. Done to its end, whoever asked is still there."""
        return await to_the_end(self._cancel(session_id, by))

    async def _cancel(self, session_id: str, by: CancelledBy) -> bool:
        here = self._worker.at_work.get(session_id)
        ending = self._worker.ended.get(session_id) if here is None else here.task_id if here.ending else None
        report = await self._parts.cancellation.cancel(session_id, by, sparing=ending or "")
        # What a worker has taken and not begun hears at once.
        # evenkeel: ignore[n-write-loop, unbounded-spawn] of one session one task is at work
        await asyncio.gather(*(self._queue.cancel(task) for task in report.running))
        if here is not None:  # what it keeps of its answer stands before what is asked next
            await here.gone_within(ENDING_S if ending else LETTING_GO_S)
        return report.signalled or report.woke or bool(report.tasks) or report.terminal_event is not None

    async def tools(self) -> Sequence[tuple[str, str]]:
        """See the port."""
        return await tools_of(self._kit)

    async def prompt(self, request: RunRequest) -> str:
        """See the port."""
        return await instructions(self._kit, request)

    async def states(self, session_ids: Sequence[str]) -> dict[str, RunState]:
        """See the port."""
        return await self._looks.of(session_ids)

    # admit

    async def _submit(self, request: RunRequest) -> Begun | Queued:
        session_id = request.session_id or await self._main_session(request)
        if request.session_id:
            await self._ensure(session_id, request)
        trace_id = str(get_contextvars().get("trace_id", ""))
        order = Order(msgspec.structs.replace(request, session_id=session_id), trace_id=trace_id)
        begun = await self._begin(order)
        if begun is not None:
            self._kit.meter.submitted("begun")
            return begun
        if not request.session_id:
            return await self._fork(order)
        if request.allow_queue and self._kit.settings.queue.enabled:
            return await self._wait_in_line(order)
        self._kit.meter.submitted("refused")
        raise RunRefusedError(
            "USER_BUSY", "The session is busy.", hint="Wait for its run to end, cancel it, or allow queueing."
        )

    async def _main_session(self, request: RunRequest) -> str:
        """The main session of user and agent, else their newest, else a new one."""
        storage, user_id, agent_id = self._parts.storage, request.user_id, request.agent_id
        thread = await storage.threads.main(user_id, agent_id)
        if thread is not None:
            await self._ensure(thread.session_id, request)  # it may have been deleted
            return thread.session_id
        _, newest = await storage.sessions.page(user_id, limit=1, agent_id=agent_id)
        session_id = newest[0].session_id if newest else _new_session()
        if not newest:
            await self._ensure(session_id, request)
        return (await storage.threads.bind(user_id, agent_id, session_id)).session_id

    async def _ensure(self, session_id: str, request: RunRequest) -> None:
        """It is there, and it is this user's. Raises `UnknownSessionError` otherwise."""
        if self._known.get(session_id) != request.user_id:
            await self._parts.storage.sessions.ensure(NewSession(session_id, request.user_id, "", request.agent_id))
            self._known[session_id] = request.user_id

    async def _begin(self, order: Order) -> Begun | None:
        """Admit and start at once; None while the session is busy. A run that is just ending is waited for."""
        deadline = self._parts.clock.monotonic_s() + ENDING_S
        while True:
            try:
                begun = await self._begun(order)
            except UnknownSessionError:  # it was known, and has been deleted
                if self._known.pop(order.session_id, None) is None:
                    raise
                await self._ensure(order.session_id, order.request)
                continue
            if begun is not None:
                return begun
            if self._parts.clock.monotonic_s() >= deadline or not await self._is_ending(order.session_id):
                return None

    async def _begun(self, order: Order) -> Begun | None:
        task_id = f"task_{uuid.uuid4().hex}"
        grant = await self._granted(task_id, order)
        if grant is None:
            return None
        hear: asyncio.Future[Begun] = asyncio.get_running_loop().create_future()
        try:
            started = await self._queue.start(self._task(task_id, order), self._worker.direct(order, grant, hear))
        except BaseException:
            await grant.release()
            raise
        if not started:
            await grant.release()
            return None
        return await hear

    async def _granted(self, task_id: str, order: Order) -> Grant | None:
        request, settings = order.request, self._kit.settings.admission
        may_wait = request.session_id and not (request.allow_queue and self._kit.settings.queue.enabled)
        asked = Admission(
            order.session_id,
            request.user_id,
            owner_of(task_id, 1),
            request.agent_id,
            request.is_admin,
            settings.slot_wait_s,
            settings.session_wait_s if may_wait else 0.0,
        )
        try:
            return await self._parts.limiter.admit(asked)
        except SessionBusyError:
            return None

    async def _is_ending(self, session_id: str) -> bool:
        """Whether the run that holds the session has said its last word, here or elsewhere. Waits a moment if so."""
        here = self._worker.at_work.get(session_id)
        if here is not None:
            if here.ending:
                await here.gone.wait()
            return here.ending
        page, held = await asyncio.gather(
            self._parts.storage.events.read_tail(session_id, limit=1), self._parts.storage.leases.live([session_id])
        )
        if page.open or not (page.events or held):
            return False
        records = await self._parts.storage.tasks.of_session(session_id, limit=50)
        if any(record.status.value in {"pending", "retry"} for record in records):
            return False  # others wait: the request goes behind them
        await self._parts.clock.sleep(LOOK_S)
        return True

    async def _fork(self, order: Order) -> Begun | Queued:
        """The main session is busy: a new one, which is not the main one, at once."""
        session_id = _new_session()
        await self._ensure(session_id, order.request)
        request = msgspec.structs.replace(order.request, session_id=session_id)
        begun = await self._begin(msgspec.structs.replace(order, request=request))
        if begun is None:
            raise RunRefusedError("USER_BUSY", "The session is busy.", hint="Ask again.")
        self._kit.meter.submitted("forked")
        return begun

    async def _wait_in_line(self, order: Order) -> Queued:
        """Say that it waits, then queue it: whoever watches sees the one before the other."""
        order = msgspec.structs.replace(order, queued=True)
        task_id, session_id, user_id = f"task_{uuid.uuid4().hex}", order.session_id, order.request.user_id
        await self._parts.writer.say(session_id, user_id, Draft("queue_enter", queue_data(task_id, order)))
        try:
            await self._queue.submit(self._task(task_id, order))
        except BaseException:
            failed = Draft("queue_fail", queue_data(task_id, order, "it could not be queued"))
            await self._parts.writer.say(session_id, user_id, failed)
            raise
        await self._parts.storage.threads.set_status(session_id, ThreadStatus.WAITING)
        self._kit.meter.submitted("queued")
        return Queued(session_id, task_id, thread_of(session_id))

    def _task(self, task_id: str, order: Order) -> NewTask:
        request, settings = order.request, self._kit.settings.queue
        return NewTask(
            task_id,
            payload_of(order),
            user_id=request.user_id,
            session_id=order.session_id,
            thread_id=thread_of(order.session_id),
            agent_id=request.agent_id,
            request_id=request.request_id,
            ttl_s=settings.ttl_s,
            max_attempts=settings.attempts,
        )


def _new_session() -> str:
    return f"sess_{uuid.uuid4().hex}"


def _forgotten(task: asyncio.Task[Begun | Queued]) -> None:
    """Whoever asked is gone: the run goes on, its subscription is closed."""
    if task.cancelled() or task.exception() is not None:
        return
    answer = task.result()
    if isinstance(answer, Begun):
        closing = asyncio.get_running_loop().create_task(answer.subscription.aclose())
        closing.add_done_callback(lambda _: None)
