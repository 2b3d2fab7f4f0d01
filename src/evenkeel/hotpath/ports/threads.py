"""Agent threads: the main session of a user and an agent."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from enum import Enum
from typing import Protocol


class ThreadStatus(Enum):
    """The column `status`. A hint for lists: whether a session is *busy* is answered by leases and tasks alone."""

    IDLE = "idle"
    WAITING = "waiting"
    BUSY = "busy"


@dataclass(frozen=True, slots=True)
class AgentThread:
    """One row; `thread_id` is `thread_<session_id>`."""

    thread_id: str
    user_id: str
    agent_id: str
    session_id: str
    status: ThreadStatus
    updated_at: float


class AgentThreads(Protocol):
    """The table `agent_threads`: one row a user and agent."""

    async def main(self, user_id: str, agent_id: str) -> AgentThread | None:
        """The main thread of this user and agent, if they have one."""
        ...

    async def mains(self, user_id: str, agent_ids: Collection[str]) -> list[AgentThread]:
        """The main threads of this user with these agents, as far as there are any, in no order."""
        ...

    async def bind(self, user_id: str, agent_id: str, session_id: str) -> AgentThread:
        """Make a session the main one. Repeatable; of two concurrent binds one wins and both see the winner next."""
        ...

    async def set_status(self, session_id: str, status: ThreadStatus) -> None:
        """Show what the session's thread does; without effect when the session is nobody's main one. Repeatable."""
        ...
