"""What a cancel leaves behind in storage. The same on both paths."""

from __future__ import annotations

from dataclasses import dataclass

from evenkeel.hotpath.cancellation.rules import CancelRules
from evenkeel.hotpath.ports.agent_tasks import AgentTasks, CancelledSession, LastWords, TaskRecord, TaskStatus
from evenkeel.hotpath.ports.event_writer import Draft, EventWriter
from evenkeel.hotpath.ports.leases import Lease, SessionLeases
from evenkeel.hotpath.ports.threads import AgentThreads, ThreadStatus
from evenkeel.hotpath.ports.wakeups import Channel, Wakeups


@dataclass(frozen=True, slots=True)
class Found:
    """What was at work in a session when its cancel came: nothing that came later is hit by it."""

    session_id: str
    held: Lease | None
    ended: CancelledSession
    sparing: str

    @property
    def running(self) -> tuple[str, ...]:
        """The tasks that workers hold."""
        return tuple(each.task_id for each in self.ended.tasks if _runs(each) and each.task_id != self.sparing)

    @property
    def tasks(self) -> tuple[str, ...]:
        """All that are ended by it."""
        return tuple(each.task_id for each in self.ended.tasks if not (_runs(each) and each.task_id == self.sparing))

    @property
    def only_waits(self) -> bool:
        """Nothing is at work but what is spared."""
        return bool(self.sparing) and not self.running


@dataclass(frozen=True, slots=True)
class Settlement:
    """Ends a session's work: its tasks, its stream, its lease, its thread. Repeatable, step by step and as a whole.

    Tasks come first, before anyone is signalled: else a run that hears of the cancel frees its turn, and the next in line
    begins while it is being cancelled. If the process dies after that, everything still ends: what waited has been
    cancelled and told in that one transaction; what runs has been told to stop in its row, which a heartbeat finds, or
    whoever takes the task up.
    """

    rules: CancelRules
    writer: EventWriter
    tasks: AgentTasks
    leases: SessionLeases
    threads: AgentThreads
    wakeups: Wakeups

    async def begin(self, session_id: str, sparing: str) -> Found:
        """Who is at work, here or elsewhere; the tasks end, and whoever watches hears of those that will not come."""
        held = (await self.leases.live([session_id])).get(session_id)
        ended = await self.tasks.cancel_session(session_id, self._words(session_id), sparing=sparing)
        if any(not _runs(task) for task in ended.tasks):
            self.wakeups.wake(Channel.EVENTS, session_id)
            self.wakeups.wake(Channel.POSTS, session_id, at_once=True)
        return Found(session_id, held, ended, sparing)

    async def finish(self, found: Found) -> int | None:
        """The id of the terminal event if it was stored by this cancel.

        The stream ends first, so nobody who watches takes the session for idle before its last word is there. Then the
        lease goes; what the old run still tries is fenced by term, attempt and epoch. A run that has not opened its stream
        yet never will: its handler says so.
        """
        terminal = found.ended.last_id
        if found.ended.open_term is not None:
            event = await self.writer.settle(found.session_id, self.rules.terminal, term=found.ended.open_term)
            terminal = terminal if event is None else event.event_id
        if found.held is not None:
            await self.leases.release(found.held)
        await self.threads.set_status(found.session_id, ThreadStatus.IDLE)
        return terminal

    def _words(self, session_id: str) -> LastWords:
        def sealed(draft: Draft) -> bytes:
            body = self.rules.envelope.body(draft.kind, draft.data)
            return self.rules.envelope.sealed(session_id, draft.kind, body, self.rules.clock.wall_s())

        def unbegun(task: TaskRecord) -> bytes | None:
            draft = self.rules.unbegun(task)
            return None if draft is None else sealed(draft)

        return LastWords(sealed(self.rules.terminal), unbegun)


def _runs(task: TaskRecord) -> bool:
    return task.status is TaskStatus.RUNNING
