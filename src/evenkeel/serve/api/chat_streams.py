"""The streaming routes of the chat API: ask a question, resume a session from a cursor."""

from __future__ import annotations

import secrets
from typing import Annotated

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from evenkeel.hotpath.ports.bus import Event
from evenkeel.serve.api.bodies import decoded
from evenkeel.serve.api.desk import Desk
from evenkeel.serve.api.frames import inner_of
from evenkeel.serve.api.front import language_in
from evenkeel.serve.api.sse import EventStream, Reading
from evenkeel.serve.api.wunder import answered
from evenkeel.serve.ports.documents import says
from evenkeel.serve.ports.failures import CodedError
from evenkeel.serve.ports.identity import Identity
from evenkeel.serve.ports.requests import Attachment, RunRequest

LARGEST_ID = 2**63 - 1


class ChatAttachment(msgspec.Struct, frozen=True):
    """An attachment, as the chat API names its fields."""

    name: Annotated[str | None, says("Of the file")] = None
    content: Annotated[str | None, says("Text, or a data URL")] = None
    mime_type: Annotated[str | None, says("Its type")] = None
    content_type: Annotated[str | None, says("The same, by its other name")] = None


class MessageBody(msgspec.Struct, frozen=True):
    """The body of `POST /sessions/{id}/messages`."""

    content: Annotated[str, says("The message")]
    stream: Annotated[bool, says("As server-sent events")] = True
    attachments: Annotated[tuple[ChatAttachment, ...] | None, says("Files and pictures")] = None


def chat_run(user: Identity, session_id: str, body: MessageBody, language: str) -> RunRequest:
    """A run in a session of the caller's own. Raises `CodedError` INVALID_REQUEST for blank content."""
    if not body.content.strip():
        raise CodedError("INVALID_REQUEST", "The message is empty.", hint="Send some text in `content`.")
    attachments = tuple(
        Attachment(each.name or "", each.content or "", each.mime_type or each.content_type or "")
        for each in body.attachments or ()
    )
    return RunRequest(
        user_id=user.user_id,
        question=body.content,
        session_id=session_id,
        language=language,
        attachments=attachments,
        is_admin=user.is_admin,
        registered=user.registered,
        request_id=f"req_{secrets.token_hex(16)}",
    )


def chat_streams(desk: Desk) -> list[BaseRoute]:
    """Both routes."""

    async def messages(request: Request) -> Response:
        user = await desk.user(request)
        body = decoded(await request.body(), MessageBody)
        session_id = request.path_params["session_id"]
        run = chat_run(user, session_id, body, language_in(request.scope))
        run = msgspec.structs.replace(run, tool_names=await desk.tools_of(session_id, user))
        return await answered(desk, run, stream=body.stream, wrap=True)

    async def resume(request: Request) -> Response:
        user = await desk.user(request)
        session_id = request.path_params["session_id"]
        await desk.session(session_id, user)
        desk.streams.refuse_while_draining()
        after_id = cursor_of(request)
        if after_id == 0 and request.query_params.get("history") != "all":
            after_id = await desk.turn_start(session_id, or_last=True)
        epoch = whole_number(request.query_params.get("epoch"), "epoch") or 0
        reader = await desk.reader(session_id, after_id, epoch)
        reading = Reading(reader, frame=unwrapped) if after_id is None else Reading(reader, after_id=after_id)
        return EventStream(desk, user.user_id, reading)

    prefix = "/wunder/chat/sessions/{session_id}"
    return [
        Route(f"{prefix}/messages", messages, methods=["POST"]),
        Route(f"{prefix}/resume", resume, methods=["GET"]),
    ]


def cursor_of(request: Request) -> int | None:
    """From where to go on. What a browser says after a broken connection (`Last-Event-ID`) is newer than the address."""
    last = whole_number(request.headers.get("last-event-id"), "Last-Event-ID")
    return last if last is not None else whole_number(request.query_params.get("after_event_id"), "after_event_id")


def whole_number(text: str | None, name: str) -> int | None:
    """A cursor's number. Raises 422 for anything but a whole number that is not negative."""
    if text is None or text == "":
        return None
    if not text.isascii() or not text.isdigit() or len(text) > 19 or int(text) > LARGEST_ID:
        raise HTTPException(422, f"{name} must be a whole number, not negative.")
    return int(text)


def unwrapped(event: Event) -> bytes:
    """Without a cursor a client gets the innermost data, as ever; the id is there for its next attempt."""
    return b"event: %b\ndata: %b\nid: %d\n\n" % (event.kind.encode(), inner_of(event), event.event_id)
