"""Storage: every storage port behind one address, opened and closed together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from evenkeel.hotpath.ports.agent_tasks import AgentTasks, UnclaimedTasks
from evenkeel.hotpath.ports.chat_log import ChatLog
from evenkeel.hotpath.ports.leases import CountedLeases, SessionLeases
from evenkeel.hotpath.ports.outbox_rows import OutboxRows, UnclaimedOutbox
from evenkeel.hotpath.ports.sessions import Sessions
from evenkeel.hotpath.ports.shares import CapacityShares
from evenkeel.hotpath.ports.stream_events import StreamEvents
from evenkeel.hotpath.ports.threads import AgentThreads
from evenkeel.hotpath.ports.tokens import Tokens
from evenkeel.hotpath.ports.users import Users
from evenkeel.hotpath.ports.wakeups import Wakeups


@dataclass(frozen=True, slots=True)
class Bounds:
    """The largest values that storage takes; over them `OversizedError`."""

    event_bytes: int = 1024 * 1024
    task_bytes: int = 4 * 1024 * 1024
    message_bytes: int = 4 * 1024 * 1024
    text_bytes: int = 4 * 1024 * 1024
    id_bytes: int = 512


@dataclass(frozen=True, slots=True)
class StorageHealth:
    """What `/health` shows: `database` (name and version), schema version, path, and how wake-ups arrive."""

    database: str
    schema: int
    path: str
    wakeups: str
    reachable: bool


class Storage(Protocol):
    """Open with `async with`; closing drains what was accepted, up to a deadline, and reports the rest as errors."""

    @property
    def leases(self) -> SessionLeases: ...
    @property
    def counted_leases(self) -> CountedLeases: ...
    @property
    def shares(self) -> CapacityShares: ...
    @property
    def events(self) -> StreamEvents: ...
    @property
    def tasks(self) -> AgentTasks: ...
    @property
    def unclaimed_tasks(self) -> UnclaimedTasks: ...
    @property
    def outbox(self) -> OutboxRows: ...
    @property
    def unclaimed_outbox(self) -> UnclaimedOutbox: ...
    @property
    def chat(self) -> ChatLog: ...
    @property
    def sessions(self) -> Sessions: ...
    @property
    def threads(self) -> AgentThreads: ...
    @property
    def users(self) -> Users: ...
    @property
    def tokens(self) -> Tokens: ...
    @property
    def wakeups(self) -> Wakeups: ...

    async def health(self) -> StorageHealth:
        """Never raises: an unreachable database is an answer."""
        ...

    async def beside(self) -> Storage:
        """The same storage for another event loop: call it *on that loop*, in the thread that keeps heartbeats alive
        while the main loop is stalled. It has a connection of its own, its `wakeups` reach no listener, and it is
        closed with `aclose` on the same loop before the main storage is.
        """
        ...

    async def aclose(self) -> None:
        """Stop taking work, finish what was accepted, close. Repeatable."""
        ...
