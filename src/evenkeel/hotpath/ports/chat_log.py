"""The chat log: messages of a session, appended and read back as a tail window, never as a whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class ChatMessage:
    """One message to keep. `role` is user, assistant, tool or system; `payload` is the whole message, encoded (JSON).

    `key` makes the append repeatable: a key ("" = none) is stored once per session.
    """

    session_id: str
    user_id: str
    role: str
    content: str
    payload: bytes
    key: str = ""


@dataclass(frozen=True, slots=True)
class LoggedMessage:
    """A message as stored; `message_id` rises with every append to the database."""

    message_id: int
    role: str
    content: str
    payload: bytes
    created_at: float


@dataclass(frozen=True, slots=True)
class ChatWindow:
    """The newest messages, oldest first; `complete` is False while older ones exist."""

    messages: tuple[LoggedMessage, ...]
    complete: bool


class ChatLog(Protocol):
    """The table `chat_history`."""

    async def append(self, messages: Sequence[ChatMessage]) -> list[int]:
        """Store in the given order; answers the ids of what was new. Repeatable for messages with a `key`.

        Messages that arrive in one call get rising ids; calls of one caller, awaited in turn, too.
        """
        ...

    async def window(
        self,
        session_id: str,
        user_id: str,
        *,
        limit: int = 500,
        before_id: int | None = None,
        roles: Sequence[str] = (),
    ) -> ChatWindow:
        """The last `limit` messages (of these roles; () = all), or those before an id, of this user's session."""
        ...

    async def forget(self, session_id: str) -> None:
        """Delete a session's messages."""
        ...
