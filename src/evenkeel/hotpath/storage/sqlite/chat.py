"""Chat messages, sessions and threads on SQLite."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import apsw

from evenkeel.hotpath.ports.chat_log import ChatMessage, ChatWindow
from evenkeel.hotpath.ports.errors import UnknownSessionError
from evenkeel.hotpath.ports.sessions import ChatSession, NewSession
from evenkeel.hotpath.ports.threads import AgentThread, ThreadStatus
from evenkeel.hotpath.storage.checks import check_ids, check_payload, check_text
from evenkeel.hotpath.storage.rows import agent_thread, chat_session, chat_window
from evenkeel.hotpath.storage.sqlite.access import Access, as_json
from evenkeel.hotpath.storage.sqlite.events import forget_events

NEWEST = 2**63 - 1


@dataclass(frozen=True, slots=True)
class SqliteChat:
    """`ChatLog`."""

    access: Access

    async def append(self, messages: Sequence[ChatMessage]) -> list[int]:
        """See the port."""
        bounds = self.access.settings.bounds
        for message in messages:
            check_ids(bounds.id_bytes, message.session_id, message.user_id, message.role, message.key)
            check_text("A message", message.content, bounds.text_bytes)
            check_payload("A message", message.payload, bounds.message_bytes)
        ids = await self.access.run.write("append_messages", lambda db: self._append(db, messages))
        self.access.meter.wrote("chat_history", len(ids))
        return ids

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
        rows = await self.access.run.read(
            "chat_window",
            lambda db: self.access.rows(
                db,
                "chat_window",
                session_id=session_id,
                user_id=user_id,
                before_id=NEWEST if before_id is None else before_id,
                roles=as_json(roles),
                limit=limit + 1,
            ),
        )
        return chat_window(rows, limit)

    async def forget(self, session_id: str) -> None:
        """See the port."""
        await self.access.run.write(
            "forget_messages", lambda db: self.access.rows(db, "forget_messages", session_id=session_id)
        )

    def _append(self, db: apsw.Connection, messages: Sequence[ChatMessage]) -> list[int]:
        rows = [
            self.access.row(
                db,
                "append_message",
                user_id=message.user_id,
                session_id=message.session_id,
                role=message.role,
                content=message.content,
                payload=message.payload,
                key=message.key or None,
            )
            for message in messages
        ]
        return [row[0] for row in rows if row is not None]


@dataclass(frozen=True, slots=True)
class SqliteSessions:
    """`Sessions`."""

    access: Access

    async def ensure(self, session: NewSession) -> ChatSession:
        """See the port."""
        values = asdict(session)
        check_ids(self.access.settings.bounds.id_bytes, session.session_id, session.user_id, session.agent_id)
        for text in values.values():
            check_text("A session's text", text, self.access.settings.bounds.text_bytes)
        row = await self.access.run.write("ensure_session", lambda db: self.access.row(db, "ensure_session", **values))
        if row is None:
            raise UnknownSessionError(session.session_id)
        return chat_session(row)

    async def get(self, session_id: str, user_id: str | None) -> ChatSession:
        """See the port."""
        check_ids(self.access.settings.bounds.id_bytes, session_id)
        row = await self.access.run.read(
            "get_session", lambda db: self.access.row(db, "get_session", session_id=session_id, user_id=user_id)
        )
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
        values = {"user_id": user_id, "agent_id": agent_id, "parent_session_id": parent_session_id}

        def page(db: apsw.Connection) -> tuple[int, list[ChatSession]]:
            total = self.access.rows(db, "count_sessions", **values)[0][0]
            rows = self.access.rows(db, "page_sessions", **values, limit=limit, offset=offset)
            return total, [chat_session(row) for row in rows]

        return await self.access.run.read("page_sessions", page)

    async def next_round(self, session_id: str, user_id: str, title: str = "") -> int:
        """See the port."""
        check_text("A title", title, self.access.settings.bounds.text_bytes)
        return int(await self._change("next_round", session_id, user_id=user_id, title=title))

    async def rename(self, session_id: str, user_id: str, title: str) -> None:
        """See the port."""
        check_text("A title", title, self.access.settings.bounds.text_bytes)
        await self._change("rename_session", session_id, user_id=user_id, title=title)

    async def set_tool_overrides(self, session_id: str, user_id: str, tool_overrides: str) -> None:
        """See the port."""
        check_text("Tool overrides", tool_overrides, self.access.settings.bounds.text_bytes)
        await self._change("set_tool_overrides", session_id, user_id=user_id, tool_overrides=tool_overrides)

    async def delete(self, session_id: str, user_id: str) -> None:
        """See the port."""

        def delete(db: apsw.Connection) -> None:
            if self.access.row(db, "delete_session", session_id=session_id, user_id=user_id) is None:
                return
            forget_events(self.access, db, session_id)
            for name in ("forget_messages", "forget_tasks", "forget_lease", "forget_thread"):
                self.access.rows(db, name, session_id=session_id)

        await self.access.run.write("delete_session", delete)

    async def _change(self, name: str, session_id: str, **values: str) -> Any:
        check_ids(self.access.settings.bounds.id_bytes, session_id)
        row = await self.access.run.write(name, lambda db: self.access.row(db, name, session_id=session_id, **values))
        if row is None:
            raise UnknownSessionError(session_id)
        return row[0]


@dataclass(frozen=True, slots=True)
class SqliteThreads:
    """`AgentThreads`."""

    access: Access

    async def main(self, user_id: str, agent_id: str) -> AgentThread | None:
        """See the port."""
        row = await self.access.run.read(
            "main_thread", lambda db: self.access.row(db, "main_thread", user_id=user_id, agent_id=agent_id)
        )
        return None if row is None else agent_thread(row)

    async def mains(self, user_id: str, agent_ids: Collection[str]) -> list[AgentThread]:
        """See the port."""
        values = {"user_id": user_id, "agent_ids": as_json(agent_ids)}
        rows = await self.access.run.read("main_threads", lambda db: self.access.rows(db, "main_threads", **values))
        return [agent_thread(row) for row in rows]

    async def bind(self, user_id: str, agent_id: str, session_id: str) -> AgentThread:
        """See the port."""
        check_ids(self.access.settings.bounds.id_bytes, user_id, agent_id, session_id)
        values = {"user_id": user_id, "agent_id": agent_id, "session_id": session_id}
        rows = await self.access.run.write("bind_thread", lambda db: self.access.rows(db, "bind_thread", **values))
        return agent_thread(rows[0])

    async def set_status(self, session_id: str, status: ThreadStatus) -> None:
        """See the port."""
        await self.access.run.write(
            "set_thread_status",
            lambda db: self.access.rows(db, "set_thread_status", session_id=session_id, status=status.value),
        )
