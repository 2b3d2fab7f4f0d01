"""What a cancel leaves behind in storage. The same on both paths."""

from __future__ import annotations

from dataclasses import dataclass

from evenkeel.hotpath.cancellation.rules import CancelRules
from evenkeel.hotpath.ports.agent_tasks import UNFINISHED, AgentTasks
from evenkeel.hotpath.ports.bus import Event
from evenkeel.hotpath.ports.event_writer import EventWriter
from evenkeel.hotpath.ports.leases import Lease, SessionLeases
from evenkeel.hotpath.ports.threads import AgentThreads, ThreadStatus


@dataclass(frozen=True, slots=True)
class Settlement:
    """Ends a session's work: its stream, its tasks, its lease, its thread. Repeatable, step by step and as a whole."""

    rules: CancelRules
    writer: EventWriter
    tasks: AgentTasks
    leases: SessionLeases
    threads: AgentThreads

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
        if event is None:
            event = await self._end_of_queued(session_id)
        ended = await self.tasks.cancel_session(session_id)
        if held is not None:
            await self.leases.release(held)
        await self.threads.set_status(session_id, ThreadStatus.IDLE)
        return tuple(task.task_id for task in ended), None if event is None else event.event_id

    async def _end_of_queued(self, session_id: str) -> Event | None:
        """No run was at work; if one was queued, whoever watches hears that it will not come."""
        queued = [task for task in await self.tasks.of_session(session_id) if task.status in UNFINISHED]
        if not queued:
            return None
        return await self.writer.say(session_id, queued[0].user_id, self.rules.terminal)
