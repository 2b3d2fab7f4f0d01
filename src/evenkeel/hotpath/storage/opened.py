"""An open storage: every port, and how to look at it, double it and close it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from evenkeel.hotpath.ports.agent_tasks import AgentTasks, UnclaimedTasks
from evenkeel.hotpath.ports.chat_log import ChatLog
from evenkeel.hotpath.ports.leases import CountedLeases, SessionLeases
from evenkeel.hotpath.ports.outbox_rows import OutboxRows, UnclaimedOutbox
from evenkeel.hotpath.ports.sessions import Sessions
from evenkeel.hotpath.ports.shares import CapacityShares
from evenkeel.hotpath.ports.storage import Storage, StorageHealth
from evenkeel.hotpath.ports.stream_events import StreamEvents
from evenkeel.hotpath.ports.threads import AgentThreads
from evenkeel.hotpath.ports.tokens import Tokens
from evenkeel.hotpath.ports.users import Users
from evenkeel.hotpath.ports.wakeups import Wakeups
from evenkeel.kernel.errors import EvenkeelError


@dataclass(frozen=True, slots=True)
class OpenStorage:
    """`ports.storage.Storage`, as a record of its parts. `ask` answers the database's name and version."""

    leases: SessionLeases
    counted_leases: CountedLeases
    shares: CapacityShares
    events: StreamEvents
    tasks: AgentTasks
    unclaimed_tasks: UnclaimedTasks
    outbox: OutboxRows
    unclaimed_outbox: UnclaimedOutbox
    chat: ChatLog
    sessions: Sessions
    threads: AgentThreads
    users: Users
    tokens: Tokens
    wakeups: Wakeups
    path: str
    schema: int
    ask: Callable[[], Awaitable[str]]
    double: Callable[[], Awaitable[Storage]]
    close: Callable[[], Awaitable[None]]

    async def health(self) -> StorageHealth:
        """See the port."""
        try:
            database, reachable = await self.ask(), True
        except EvenkeelError as error:
            database, reachable = error.message, False
        return StorageHealth(database, self.schema, self.path, self.wakeups.mode.value, reachable)

    async def beside(self) -> Storage:
        """See the port."""
        return await self.double()

    async def aclose(self) -> None:
        """See the port."""
        await self.close()
