"""Stored values as clients know them: users, sessions, messages, times."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from evenkeel.hotpath.ports.chat_log import LoggedMessage
from evenkeel.hotpath.ports.sessions import ChatSession
from evenkeel.hotpath.ports.users import UserAccount

DEFAULT_TITLE = "新会话"
TITLE_CHARACTERS = 20
SHOWN_ROLES = ("user", "assistant")


def local_time(at_s: float) -> str:
    """RFC 3339 in local time."""
    return datetime.fromtimestamp(at_s).astimezone().isoformat(timespec="milliseconds")


def user_profile(account: UserAccount) -> dict[str, object]:
    """`UserProfile` of the contract; times are Unix seconds."""
    return {
        "id": account.user_id,
        "username": account.username,
        "email": account.email or None,
        "roles": [role for role in account.roles.split(",") if role],
        "status": account.status,
        "access_level": account.access_level,
        "unit_id": account.unit_id or None,
        "unit": None,
        "daily_quota": account.daily_quota,
        "daily_quota_used": account.daily_quota_used,
        "daily_quota_date": account.daily_quota_date or None,
        "is_demo": account.is_demo,
        "created_at": account.created_at,
        "updated_at": account.updated_at,
        "last_login_at": account.last_login_at,
    }


def session_object(session: ChatSession, *, is_main: bool) -> dict[str, object]:
    """A session as lists and creation answer it."""
    return {
        "id": session.session_id,
        "title": session.title or DEFAULT_TITLE,
        "created_at": local_time(session.created_at),
        "updated_at": local_time(session.updated_at),
        "last_message_at": local_time(session.last_message_at),
        "agent_id": session.agent_id or None,
        "tool_overrides": tool_overrides(session),
        "parent_session_id": session.parent_session_id or None,
        "parent_message_id": session.parent_message_id or None,
        "spawn_label": session.spawn_label or None,
        "spawned_by": session.spawned_by or None,
        "is_main": is_main,
    }


def tool_overrides(session: ChatSession) -> list[str]:
    """The names of tools that a session was limited to."""
    try:
        found = json.loads(session.tool_overrides or "[]")
    except ValueError:
        return []
    return [str(each) for each in found] if isinstance(found, list) else []


def shown_messages(messages: Iterable[LoggedMessage]) -> list[dict[str, object]]:
    """What a person sees of a conversation: no system or tool rows, no assistant rows that only call tools."""
    shown = []
    for message in messages:
        payload = _payload(message)
        if message.role not in SHOWN_ROLES or payload.get("tool_calls") or _is_tool_answer(message):
            continue
        entry: dict[str, object] = {
            "role": message.role,
            "content": message.content,
            "created_at": local_time(message.created_at),
        }
        reasoning = payload.get("reasoning_content")
        if reasoning:
            entry["reasoning"] = reasoning
        panel = payload.get("questionPanel")
        if panel:
            entry["questionPanel"] = panel
        shown.append(entry)
    return shown


def _is_tool_answer(message: LoggedMessage) -> bool:
    """In the mode `tool_call` results go back to the model as a user's message."""
    return message.role == "user" and message.content.startswith("tool_response: ")


def _payload(message: LoggedMessage) -> Mapping[str, Any]:
    try:
        found = json.loads(message.payload)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
