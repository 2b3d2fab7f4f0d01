"""Chat sessions: whose they are, and the counters that must survive a restart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class NewSession:
    """What to create. `agent_id` "" = no agent."""

    session_id: str
    user_id: str
    title: str
    agent_id: str = ""
    tool_overrides: str = "[]"
    parent_session_id: str = ""
    parent_message_id: str = ""
    spawn_label: str = ""
    spawned_by: str = ""


@dataclass(frozen=True, slots=True)
class ChatSession:
    """A session as stored; `rounds` counts user rounds and never goes back."""

    session_id: str
    user_id: str
    title: str
    agent_id: str
    tool_overrides: str
    parent_session_id: str
    parent_message_id: str
    spawn_label: str
    spawned_by: str
    rounds: int
    created_at: float
    updated_at: float
    last_message_at: float


class Sessions(Protocol):
    """The table `chat_sessions`. Every read names the user: a foreign session is as unknown as none."""

    async def ensure(self, session: NewSession) -> ChatSession:
        """Create it, or answer the one that is there. Repeatable. Raises `UnknownSessionError` if it is another
        user's.
        """
        ...

    async def get(self, session_id: str, user_id: str | None) -> ChatSession:
        """Raises `UnknownSessionError`; `user_id` None = an administrator asks."""
        ...

    async def page(
        self,
        user_id: str,
        *,
        limit: int = 50,
        offset: int = 0,
        agent_id: str | None = None,
        parent_session_id: str | None = None,
    ) -> tuple[int, list[ChatSession]]:
        """How many there are, and one page of them, newest message first. `agent_id` "" = sessions without one."""
        ...

    async def next_round(self, session_id: str, user_id: str, title: str = "") -> int:
        """Begin a user round: its number, one above the last stored; `title` replaces an empty one. Not repeatable."""
        ...

    async def rename(self, session_id: str, user_id: str, title: str) -> None:
        """Raises `UnknownSessionError`."""
        ...

    async def set_tool_overrides(self, session_id: str, user_id: str, tool_overrides: str) -> None:
        """Raises `UnknownSessionError`."""
        ...

    async def delete(self, session_id: str, user_id: str) -> None:
        """Delete the session with its messages, events, posts, unfinished tasks and lease. Repeatable."""
        ...
