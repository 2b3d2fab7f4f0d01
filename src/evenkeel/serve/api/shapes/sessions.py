"""Accounts, and sessions with what is in them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import UNSET, Struct, UnsetType, field

from evenkeel.serve.api.shapes.words import AgentId, Rfc3339, SessionId, Title, ToolNames, UnixSeconds
from evenkeel.serve.ports.documents import says


class UserProfile(Struct):
    """An account."""

    id: Annotated[str, says("Stays, whatever the name becomes")]
    username: Annotated[str, says("What one logs in with")]
    email: Annotated[str | None, says("If one was given")]
    roles: Annotated[list[str], says("`admin` and `super_admin` may use the operators' routes")]
    status: Annotated[str, says("`active`, or why not")]
    access_level: Annotated[str, says("A, B or C")]
    unit_id: Annotated[str | None, says("The unit it belongs to")]
    unit: Annotated[dict[str, Any] | None, says("That unit")]
    daily_quota: Annotated[int, says("Model calls a day")]
    daily_quota_used: Annotated[int, says("Of these, on `daily_quota_date`")]
    daily_quota_date: Annotated[str | None, says("The day that is counted")]
    is_demo: Annotated[bool, says("Made by a login without a password")]
    created_at: UnixSeconds
    updated_at: UnixSeconds
    last_login_at: Annotated[float | None, says("Unix time, seconds; null = never")]


class LoggedIn(Struct):
    """A login."""

    access_token: Annotated[str, says("For `Authorization: Bearer`; good for seven days")]
    user: Annotated[UserProfile, says("Who it is for")]


class LoggedOut(Struct):
    """The token is gone."""

    ok: Annotated[bool, says("Always true")]


class OrgUnits(Struct):
    """Units that accounts can belong to."""

    items: Annotated[list[dict[str, Any]], says("All of them")]
    tree: Annotated[list[dict[str, Any]], says("The same, one within the other")]


class Transport(Struct):
    """The way answers stream by default."""

    chat_stream_channel: Annotated[Literal["ws", "sse"], says("WebSocket or server-sent events")]


class SessionHead(Struct):
    """What every answer about a conversation begins with."""

    id: SessionId
    title: Title
    created_at: Rfc3339
    updated_at: Rfc3339
    last_message_at: Rfc3339
    agent_id: AgentId
    tool_overrides: ToolNames


class Session(SessionHead):
    """A conversation."""

    parent_session_id: Annotated[str | None, says("The session that it came from")]
    parent_message_id: Annotated[str | None, says("The message that it came from")]
    spawn_label: Annotated[str | None, says("What it was made for")]
    spawned_by: Annotated[str | None, says("Who made it, if not its user")]
    is_main: Annotated[bool, says("The main one of its agent: requests without a session go there")]


class SessionPage(Struct):
    """Some of one's sessions."""

    total: Annotated[int, says("How many there are in all")]
    items: Annotated[list[Session], says("The newest message first")]


class Message(Struct):
    """What a person sees of a turn."""

    role: Annotated[Literal["user", "assistant"], says("Who speaks")]
    content: Annotated[str, says("The text")]
    created_at: Rfc3339
    reasoning: Annotated[str | UnsetType, says("What the model thought before")] = UNSET
    question_panel: Annotated[Any, says("A question to the user, as that tool put it")] = field(
        default=UNSET, name="questionPanel"
    )
    stream_incomplete: Annotated[bool | UnsetType, says("True = it is being written: resume the session")] = UNSET


class SessionDetail(SessionHead):
    """A conversation with its messages."""

    history_incomplete: Annotated[bool, says("There are older messages than these")]
    messages: Annotated[list[Message], says("Oldest first")]


class RoundEvent(Struct):
    """A stored event of a round."""

    event: Annotated[str, says("Its kind")]
    data: Annotated[Any, says("What it says, unwrapped")]
    timestamp: Rfc3339


class Round(Struct):
    """A question and what came of it."""

    user_round: Annotated[int, says("Counted from 1")]
    events: Annotated[list[RoundEvent], says("In their order, without deltas")]


class SessionEvents(Struct):
    """What a session's latest rounds said."""

    id: SessionId
    rounds: Annotated[list[Round], says("Oldest first")]
    running: Annotated[bool, says("A run is at work")]
    last_event_id: Annotated[int, says("Where to go on from: `after_event_id` of resume")]
    epoch: Annotated[int, says("Of the session's history; another one = ids began anew")]


class Cancelled(Struct):
    """The answer of a cancel. What became of each run stands in the session's stream."""

    cancelled: Annotated[bool, says("Something ran or waited, and was stopped")]


class Deleted(Struct):
    """The session is gone."""

    id: SessionId


class ToolOverrides(Struct):
    """The tools of a session."""

    id: SessionId
    tool_overrides: ToolNames


class Prompt(Struct):
    """Instructions."""

    prompt: Annotated[str, says("What a run would give its model first")]
