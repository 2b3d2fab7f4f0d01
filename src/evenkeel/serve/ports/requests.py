"""What a run is asked to do. Encoded as JSON it is also the payload of a queued task, so fields are only ever added."""

from __future__ import annotations

from typing import Any

import msgspec

NO_TOOLS = "__no_tools__"


class Attachment(msgspec.Struct, frozen=True):
    """Text, or a data URL, that goes with a question."""

    name: str = ""
    content: str = ""
    content_type: str = ""


class RunRequest(msgspec.Struct, frozen=True):
    """One user round. `tool_names` () = the default set, `(NO_TOOLS,)` = none. `session_id` "" = choose one.

    `is_admin` and `registered` are those of the *target* user and never come from a client. `config_overrides` is
    merged into the agent's settings for this run alone. `reply_to` = where else the answer goes (a channel's own form):
    the agent carries it and hands it back when the run has ended.
    """

    user_id: str
    question: str
    session_id: str = ""
    agent_id: str = ""
    tool_names: tuple[str, ...] = ()
    skip_tool_calls: bool = False
    debug_payload: bool = False
    model_name: str = ""
    language: str = ""
    config_overrides: dict[str, Any] = {}
    agent_prompt: str = ""
    attachments: tuple[Attachment, ...] = ()
    allow_queue: bool = True
    is_admin: bool = False
    registered: bool = True
    request_id: str = ""
    reply_to: dict[str, Any] | None = None
