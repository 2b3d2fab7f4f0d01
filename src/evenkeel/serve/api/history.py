"""A session's past, as pages show it: messages, and rounds of events."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from evenkeel.hotpath.ports.chat_log import ChatWindow
from evenkeel.hotpath.ports.sessions import ChatSession
from evenkeel.hotpath.ports.stream_events import StoredEvent
from evenkeel.serve.api.frames import DELTA
from evenkeel.serve.api.profiles import DEFAULT_TITLE, local_time, shown_messages, tool_overrides
from evenkeel.serve.ports.runs import RunState


def session_detail(session: ChatSession, window: ChatWindow, state: RunState) -> dict[str, object]:
    """`GET /sessions/{id}`. While a run is at work its answer is shown as begun and not complete."""
    messages = shown_messages(window.messages)
    if state in {RunState.RUNNING, RunState.CANCELLING}:
        if messages and messages[-1]["role"] == "assistant":
            messages[-1]["stream_incomplete"] = True
        else:
            at = local_time(session.updated_at)
            messages.append({"role": "assistant", "content": "", "created_at": at, "stream_incomplete": True})
    return {
        "id": session.session_id,
        "title": session.title or DEFAULT_TITLE,
        "created_at": local_time(session.created_at),
        "updated_at": local_time(session.updated_at),
        "last_message_at": local_time(session.last_message_at),
        "agent_id": session.agent_id or None,
        "tool_overrides": tool_overrides(session),
        "history_incomplete": not window.complete,
        "messages": messages,
    }


def rounds_of(events: Iterable[StoredEvent]) -> list[dict[str, object]]:
    """Stored events by user round, without deltas, their innermost data unwrapped."""
    rounds: dict[int, list[dict[str, object]]] = {}
    current = 0
    for stored in events:
        event = _opened(stored)
        if event is None or event["event"] == DELTA:
            continue
        number = event["data"].get("user_round") if isinstance(event["data"], dict) else None
        current = number if isinstance(number, int) else current
        rounds.setdefault(current, []).append(event)
    return [{"user_round": number, "events": found} for number, found in rounds.items()]


def _opened(stored: StoredEvent) -> dict[str, Any] | None:
    try:
        event = msgspec.json.decode(stored.payload)
        outer = event["data"]
        return {"event": event["event"], "data": outer["data"], "timestamp": outer["timestamp"]}
    except (msgspec.DecodeError, KeyError, TypeError):
        return None
