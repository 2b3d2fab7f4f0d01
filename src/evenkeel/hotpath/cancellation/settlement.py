"""What a cancel leaves behind in storage. The same on both paths."""

from __future__ import annotations

from dataclasses import dataclass

from evenkeel.hotpath.cancellation.rules import CancelRules
from evenkeel.hotpath.ports.agent_tasks import UNFINISHED, AgentTasks, TaskStatus
from evenkeel.hotpath.ports.bus import Event
from evenkeel.hotpath.ports.event_writer import EventWriter
from evenkeel.hotpath.ports.leases import Lease, SessionLeases
from evenkeel.hotpath.ports.stream_events import StreamEvents
from evenkeel.hotpath.ports.threads import AgentThreads, ThreadStatus

LAST_WORDS = 20
"""How far back a run's own end is looked for: little is said in a session after it."""


@dataclass(frozen=True, slots=True)
class Settlement:
    """Ends a session's work: its stream, its tasks, its lease, its thread. Repeatable, step by step and as a whole."""

    rules: CancelRules
    writer: EventWriter
    tasks: AgentTasks
    leases: SessionLeases
    threads: AgentThreads
    events: StreamEvents

    async def holder(self, session_id: str) -> Lease | None:
        """The lease of the run that is at work, here or elsewhere."""
        return (await self.leases.live([session_id])).get(session_id)

    async def settle(self, session_id: str, held: Lease | None) -> tuple[tuple[str, ...], int | None]:
        """The tasks that were unfinished, and the id of the terminal event if it was stored here.

        The stream ends first, so nobody who watches takes the session for idle before its last word is there. Then the
        tasks go, and the lease, so that the next message does not queue behind a ghost; what the old run still tries
        is fenced by term, attempt and epoch.
        """
        event = await self.writer.settle(session_id, self.rules.terminal)
        if event is None and held is None:  # else a run was at work, and its own last word stands
            event = await self._end_of_queued(session_id)
        ended = await self.tasks.cancel_session(session_id)
        if held is not None:
            await self.leases.release(held)
        await self.threads.set_status(session_id, ThreadStatus.IDLE)
        return tuple(task.task_id for task in ended), None if event is None else event.event_id

    async def _end_of_queued(self, session_id: str) -> Event | None:
        """No run was at work; if one was queued, whoever watches hears that it will not come.

        A run that has just said its last word itself (on its own, or because it heard of this cancel first) leaves its
        task unfinished for a moment: its session has been told already.
        """
        unfinished = [task for task in await self.tasks.of_session(session_id) if task.status in UNFINISHED]
        if not unfinished:
            return None
        begun = [task.started_at or 0.0 for task in unfinished if task.status is TaskStatus.RUNNING]
        if len(begun) == len(unfinished) and await self._has_ended(session_id, max(begun)):
            return None
        return await self.writer.say(session_id, unfinished[0].user_id, self.rules.terminal)

    async def _has_ended(self, session_id: str, since: float) -> bool:
        page = await self.events.read_tail(session_id, limit=LAST_WORDS)
        opened = self.rules.envelope.opened
        return any(
            stored.stored_at >= since and opened(session_id, page.epoch, stored).terminal for stored in page.events
        )
