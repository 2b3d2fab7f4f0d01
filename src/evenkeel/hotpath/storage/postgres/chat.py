"""Chat messages, sessions and threads on PostgreSQL."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import astuple, dataclass
from typing import Any

from evenkeel.hotpath.ports.chat_log import ChatMessage, ChatWindow
from evenkeel.hotpath.ports.errors import UnknownSessionError
from evenkeel.hotpath.ports.sessions import ChatSession, NewSession
from evenkeel.hotpath.ports.threads import AgentThread, ThreadStatus
from evenkeel.hotpath.storage.checks import check_ids, check_payload, check_text
from evenkeel.hotpath.storage.postgres.access import Access
from evenkeel.hotpath.storage.postgres.connections import Connection
from evenkeel.hotpath.storage.postgres.events import forget_events
from evenkeel.hotpath.storage.rows import agent_thread, chat_session, chat_window

NEWEST = 2**63 - 1


@dataclass(frozen=True, slots=True)
class PostgresChat:
    """`ChatLog`."""

    access: Access

    async def append(self, messages: Sequence[ChatMessage]) -> list[int]:
        """See the port."""
        bounds = self.access.settings.bounds
        for message in messages:
            check_ids(bounds.id_bytes, message.session_id, message.user_id, message.role, message.key)
            check_text("A message", message.content, bounds.text_bytes)
            check_payload("A message", message.payload, bounds.message_bytes)
        rows = await self.access.rows("append_messages", self.access.now(), *_columns(messages))
        self.access.meter.wrote("chat_history", len(rows))
        return sorted(row[0] for row in rows)

    async def window(
        self,
        session_id: str,
        user_id: str,
        *,
        limit: int = 500,
        before_id: int | None = None,
        roles: Sequence[str] = (),
    ) -> ChatWindow:
        """See the port."""
        before = NEWEST if before_id is None else before_id
        rows = await self.access.rows("chat_window", session_id, user_id, before, list(roles), limit + 1)
        return chat_window(rows, limit)

    async def forget(self, session_id: str) -> None:
        """See the port."""
        await self.access.rows("forget_messages", session_id)


def _columns(messages: Sequence[ChatMessage]) -> tuple[list[object], ...]:
    return (
        [message.user_id for message in messages],
        [message.session_id for message in messages],
        [message.role for message in messages],
        [message.content for message in messages],
        [message.payload for message in messages],
        [message.key or None for message in messages],
    )


@dataclass(frozen=True, slots=True)
class PostgresSessions:
    """`Sessions`."""

    access: Access

    async def ensure(self, session: NewSession) -> ChatSession:
        """See the port."""
        session_id, user_id, title, agent_id, *more = astuple(session)
        check_ids(self.access.settings.bounds.id_bytes, session_id, user_id, agent_id)
        for text in (title, *more):
            check_text("A session's text", text, self.access.settings.bounds.text_bytes)
        values = (session_id, user_id, title, agent_id, *more)
        row = await self.access.row("ensure_session", self.access.now(), *values)
        if row is None:
            raise UnknownSessionError(session_id)
        return chat_session(row)

    async def get(self, session_id: str, user_id: str | None) -> ChatSession:
        """See the port."""
        check_ids(self.access.settings.bounds.id_bytes, session_id)
        row = await self.access.row("get_session", session_id, user_id)
        if row is None:
            raise UnknownSessionError(session_id)
        return chat_session(row)

    async def page(
        self,
        user_id: str,
        *,
        limit: int = 50,
        offset: int = 0,
        agent_id: str | None = None,
        parent_session_id: str | None = None,
    ) -> tuple[int, list[ChatSession]]:
        """See the port."""
        total = await self.access.rows("count_sessions", user_id, agent_id, parent_session_id)
        rows = await self.access.rows("page_sessions", user_id, agent_id, parent_session_id, limit, offset)
        return total[0][0], [chat_session(row) for row in rows]

    async def next_round(self, session_id: str, user_id: str, title: str = "") -> int:
        """See the port."""
        check_text("A title", title, self.access.settings.bounds.text_bytes)
        return int(await self._change("next_round", session_id, user_id, title))

    async def rename(self, session_id: str, user_id: str, title: str) -> None:
        """See the port."""
        check_text("A title", title, self.access.settings.bounds.text_bytes)
        await self._change("rename_session", session_id, user_id, title)

    async def set_tool_overrides(self, session_id: str, user_id: str, tool_overrides: str) -> None:
        """See the port."""
        check_text("Tool overrides", tool_overrides, self.access.settings.bounds.text_bytes)
        await self._change("set_tool_overrides", session_id, user_id, tool_overrides)

    async def delete(self, session_id: str, user_id: str) -> None:
        """See the port."""

        async def delete(db: Connection) -> None:
            async with db.transaction():
                if not await self.access.on(db, "delete_session", session_id, user_id):
                    return
                await forget_events(self.access, db, session_id)
                for name in ("forget_messages", "forget_tasks", "forget_thread"):
                    await self.access.on(db, name, session_id)
                await self.access.on(db, "forget_lease", self.access.now(), session_id)

        await self.access.run.run("delete_session", delete)

    async def _change(self, name: str, session_id: str, *values: str) -> Any:
        check_ids(self.access.settings.bounds.id_bytes, session_id)
        row = await self.access.row(name, self.access.now(), session_id, *values)
        if row is None:
            raise UnknownSessionError(session_id)
        return row[0]


@dataclass(frozen=True, slots=True)
class PostgresThreads:
    """`AgentThreads`."""

    access: Access

    async def main(self, user_id: str, agent_id: str) -> AgentThread | None:
        """See the port."""
        row = await self.access.row("main_thread", user_id, agent_id)
        return None if row is None else agent_thread(row)

    async def mains(self, user_id: str, agent_ids: Collection[str]) -> list[AgentThread]:
        """See the port."""
        return [agent_thread(row) for row in await self.access.rows("main_threads", user_id, list(agent_ids))]

    async def bind(self, user_id: str, agent_id: str, session_id: str) -> AgentThread:
        """See the port."""
        check_ids(self.access.settings.bounds.id_bytes, user_id, agent_id, session_id)
        return agent_thread(
            (await self.access.rows("bind_thread", self.access.now(), user_id, agent_id, session_id))[0]
        )

    async def set_status(self, session_id: str, status: ThreadStatus) -> None:
        """See the port."""
        await self.access.rows("set_thread_status", self.access.now(), session_id, status.value)
