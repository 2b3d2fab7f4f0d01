"""`POST /wunder` and its sibling in the chat API: a question in, an answer or a stream out (section 1)."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Annotated, Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from evenkeel.serve.api.bodies import decoded, encoded
from evenkeel.serve.api.desk import Desk
from evenkeel.serve.api.front import language_in
from evenkeel.serve.api.profiles import local_time
from evenkeel.serve.api.sse import CHANNEL, EventStream, OneEvent, Reading
from evenkeel.serve.ports.documents import says
from evenkeel.serve.ports.failures import CodedError
from evenkeel.serve.ports.identity import Identity
from evenkeel.serve.ports.requests import Attachment, RunRequest
from evenkeel.serve.ports.runs import Answer, Begun, Queued

PLAIN = "http"


class WunderAttachment(msgspec.Struct, frozen=True):
    """An attachment, as `POST /wunder` names its fields."""

    name: Annotated[str | None, says("Of the file")] = None
    content: Annotated[str | None, says("Text, or a data URL")] = None
    content_type: Annotated[str | None, says("Its type")] = None


class WunderBody(msgspec.Struct, frozen=True):
    """The body of `POST /wunder`; keys that nobody knows are ignored, as clients send more than is read."""

    user_id: Annotated[str, says("For whom; an unknown one is a user of the moment, without a quota")]
    question: Annotated[str, says("The message")]
    tool_names: Annotated[
        tuple[str, ...], says("The only tools that may be used; none = the usual ones, `__no_tools__` = none at all")
    ] = ()
    skip_tool_calls: Annotated[bool, says("Answer without tools")] = False
    stream: Annotated[bool, says("As server-sent events")] = True
    debug_payload: Annotated[bool, says("Show what the model is sent")] = False
    session_id: Annotated[str | None, says("Go on in it, or make it; none = the main one")] = None
    agent_id: Annotated[str | None, says("None = the default agent")] = None
    model_name: Annotated[str | None, says("One of the configured models")] = None
    language: Annotated[str | None, says("Of texts, such as en-US")] = None
    config_overrides: Annotated[dict[str, Any] | None, says("For this run: see docs/guide/agent.md")] = None
    agent_prompt: Annotated[str | None, says("More instructions")] = None
    attachments: Annotated[tuple[WunderAttachment, ...] | None, says("Files and pictures")] = None
    allow_queue: Annotated[bool, says("Wait where the session is busy, instead of USER_BUSY")] = True


def request_of(body: WunderBody, target: Identity, language: str) -> RunRequest:
    """A run for the target user. Raises `CodedError` INVALID_REQUEST for a blank question."""
    if not body.question.strip():
        raise CodedError("INVALID_REQUEST", "The question is empty.", hint="Send some text in `question`.")
    return RunRequest(
        user_id=target.user_id,
        question=body.question,
        session_id=body.session_id or "",
        agent_id=body.agent_id or "",
        tool_names=body.tool_names,
        skip_tool_calls=body.skip_tool_calls,
        debug_payload=body.debug_payload,
        model_name=body.model_name or "",
        language=body.language or language,
        config_overrides=body.config_overrides or {},
        agent_prompt=body.agent_prompt or "",
        attachments=tuple(
            Attachment(each.name or "", each.content or "", each.content_type or "") for each in body.attachments or ()
        ),
        allow_queue=body.allow_queue,
        is_admin=target.is_admin,
        registered=target.registered,
    )


async def target_of(desk: Desk, user_id: str) -> Identity:
    """The user whom a request names; only trusted callers get here. Raises `CodedError` INVALID_REQUEST for none."""
    if not user_id.strip():
        raise CodedError("INVALID_REQUEST", "user_id is empty.", hint="Say for whom the run is.")
    return await desk.callers.target(user_id.strip())


def routes(desk: Desk) -> list[BaseRoute]:
    """`POST /wunder`."""

    async def wunder(request: Request) -> Response:
        body = decoded(await request.body(), WunderBody)
        target = await target_of(desk, body.user_id)
        run = request_of(body, target, language_in(request.scope))
        return await answered(desk, run, stream=body.stream, wrap=False)

    return [Route("/wunder", wunder, methods=["POST"])]


async def answered(desk: Desk, run: RunRequest, *, stream: bool, wrap: bool) -> Response:
    """Submit a run and answer as the client asked to. `wrap` puts a plain answer under `data`, as the chat API does."""
    asked_at = time.perf_counter()
    desk.streams.refuse_while_draining()
    channel = CHANNEL if stream else PLAIN
    try:
        submitted = await desk.runs.submit(run)
        if isinstance(submitted, Queued):
            desk.meter.run(channel, "queued")
            return _queued(submitted, stream=stream)
        if stream:
            return EventStream(desk, run.user_id, Reading(submitted.subscription, own_run=True, asked_at=asked_at))
        return await _whole(desk, submitted, wrap=wrap)
    except CodedError as error:
        desk.meter.run(channel, error.code)
        if stream and error.code not in {"INVALID_REQUEST", "UNAUTHORIZED", "PERMISSION_DENIED"}:
            return OneEvent("error", in_band(run.session_id, error))
        raise


async def _whole(desk: Desk, begun: Begun, *, wrap: bool) -> Response:
    answer = await desk.runs.outcome(begun)
    desk.meter.run(PLAIN, "final")
    body = answer_object(answer)
    return encoded({"data": body} if wrap else body)


def answer_object(answer: Answer) -> dict[str, object]:
    """A plain answer's body."""
    return {
        "session_id": answer.session_id,
        "answer": answer.answer,
        "usage": {
            "input_tokens": answer.usage.input_tokens,
            "output_tokens": answer.usage.output_tokens,
            "total_tokens": answer.usage.total_tokens,
        },
        "stop_reason": answer.stop_reason,
        **answer.extra,
    }


def queued_object(queued: Queued) -> dict[str, object]:
    """What a client is told about a request that waits."""
    return {
        "queued": True,
        "queue_id": queued.queue_id,
        "thread_id": queued.thread_id,
        "session_id": queued.session_id,
    }


def _queued(queued: Queued, *, stream: bool) -> Response:
    if stream:
        return OneEvent("queued", queued_object(queued))
    return encoded({"data": queued_object(queued)}, 202)


def in_band(session_id: str, error: CodedError) -> Mapping[str, object]:
    """The data of an `error` event for a run that did not begin: it stands in no stream, so it has no id."""
    inner: dict[str, object] = {"code": error.code, "message": error.message}
    if error.detail:
        inner["detail"] = dict(error.detail)
    return {"session_id": session_id, "timestamp": local_time(time.time()), "data": inner}
