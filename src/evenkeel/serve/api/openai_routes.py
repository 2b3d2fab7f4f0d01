"""`/v1`: an agent behind the API that OpenAI's clients speak.

A request is a conversation of its own: a new session gets the earlier messages as its history, the last one is the
question. `metadata.session_id` goes on in a session instead. Tools are the agent's own and run on the server; the
client sees their outcome in the answer alone. A client that hangs up stops the run: it has no other way to.
"""

from __future__ import annotations

import secrets
import time
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from evenkeel.hotpath.ports.chat_log import ChatMessage
from evenkeel.hotpath.ports.errors import SessionBusyError
from evenkeel.hotpath.ports.sessions import NewSession
from evenkeel.kernel.errors import EvenkeelError, NotFoundError
from evenkeel.serve.api.bodies import decoded, encoded
from evenkeel.serve.api.callers import bearer_of
from evenkeel.serve.api.desk import Desk
from evenkeel.serve.api.failures import Failure, failure_of
from evenkeel.serve.api.front import language_in
from evenkeel.serve.api.openai_stream import CHANNEL, Completion, CompletionStream, usage_object
from evenkeel.serve.ports.failures import CodedError
from evenkeel.serve.ports.identity import Identity
from evenkeel.serve.ports.requests import RunRequest
from evenkeel.serve.ports.runs import Begun, Queued

ALIAS = "evenkeel"  # whatever model a request without one gets
TYPES = {401: "authentication_error", 403: "permission_error", 404: "not_found_error", 429: "rate_limit_error"}


class CompletionMessage(msgspec.Struct, frozen=True):
    """One message of a conversation; content is a text or a list of parts."""

    role: str
    content: str | list[dict[str, Any]] | None = None

    @property
    def text(self) -> str:
        """The text of a message; parts that are no text are left out."""
        if isinstance(self.content, list):
            return "\n".join(str(part.get("text", "")) for part in self.content if part.get("type") == "text")
        return self.content or ""


class StreamOptions(msgspec.Struct, frozen=True):
    """What a stream ends with."""

    include_usage: bool = False


class CompletionBody(msgspec.Struct, frozen=True):
    """The body of `POST /v1/chat/completions`, as far as it has a meaning here; the rest is ignored."""

    messages: tuple[CompletionMessage, ...]
    model: str = ""
    stream: bool = False
    stream_options: StreamOptions | None = None
    user: str | None = None
    tools: list[Any] | None = None
    n: int | None = None
    metadata: dict[str, str] | None = None


def openai_routes(desk: Desk) -> list[BaseRoute]:
    """Completions and the list of models."""

    async def completions(request: Request) -> Response:
        try:
            return await _completions(desk, request)
        except EvenkeelError as error:
            return _refused(failure_of(error, language_in(request.scope)))

    async def models(request: Request) -> Response:
        try:
            await _caller(desk, request, None)
        except EvenkeelError as error:
            return _refused(failure_of(error, language_in(request.scope)))
        data = [{"id": name, "object": "model", "created": 0, "owned_by": "evenkeel"} for name in (*desk.models, ALIAS)]
        return encoded({"object": "list", "data": data})

    return [
        Route("/v1/chat/completions", completions, methods=["POST"]),
        Route("/v1/models", models, methods=["GET"]),
    ]


async def _completions(desk: Desk, request: Request) -> Response:
    asked_at = time.perf_counter()
    desk.streams.refuse_while_draining()
    body = decoded(await request.body(), CompletionBody)
    user = await _caller(desk, request, body.user)
    run = await _run(desk, user, body)
    begun = await desk.runs.submit(run)
    if isinstance(begun, Queued):
        raise SessionBusyError(begun.session_id)
    completion = Completion.begun(begun.session_id, body.model or ALIAS)
    if body.stream:
        with_usage = body.stream_options is not None and body.stream_options.include_usage
        return CompletionStream(desk, user.user_id, begun, completion, with_usage=with_usage, asked_at=asked_at)
    return await _whole(desk, begun, completion)


async def _whole(desk: Desk, begun: Begun, completion: Completion) -> Response:
    answer = await desk.runs.outcome(begun)
    desk.meter.run(CHANNEL, "final")
    message = {"role": "assistant", "content": answer.answer, "refusal": None}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
    return encoded(completion.whole(choice, usage_object(answer.usage)))


async def _caller(desk: Desk, request: Request, named: str | None) -> Identity:
    """A user's token, or the server's key on behalf of whom the request names."""
    key = bearer_of(request.headers) or request.headers.get("x-api-key", "")
    if desk.callers.is_key(key):
        return await desk.callers.target((named or "").strip() or "openai")
    user = await desk.callers.user(key)
    if user is None:
        raise CodedError("UNAUTHORIZED", "Send the server's key or a user's token as the API key.")
    return user


async def _run(desk: Desk, user: Identity, body: CompletionBody) -> RunRequest:
    if body.tools:
        raise CodedError("INVALID_REQUEST", "Tools run on this server; a client cannot bring its own.")
    if (body.n or 1) != 1:
        raise CodedError("INVALID_REQUEST", "There is one answer: leave n out.")
    spoken = [message for message in body.messages if message.role in {"user", "assistant"}]
    if not spoken or spoken[-1].role != "user" or not spoken[-1].text.strip():
        raise CodedError("INVALID_REQUEST", "The last message must be a user's, and not empty.")
    if body.model not in {"", ALIAS, *desk.models}:
        raise NotFoundError(f"There is no model {body.model!r}.", hint=f"Known: {', '.join(desk.models)}, {ALIAS}.")
    instructions = "\n\n".join(each.text for each in body.messages if each.role in {"system", "developer"})
    session_id = (body.metadata or {}).get("session_id", "").strip()
    if not session_id:
        session_id = await _session_with(desk, user, spoken[:-1])
    return RunRequest(
        user_id=user.user_id,
        question=spoken[-1].text,
        session_id=session_id,
        model_name=body.model if body.model in desk.models else "",
        agent_prompt=instructions,
        allow_queue=False,
        is_admin=user.is_admin,
        registered=user.registered,
    )


async def _session_with(desk: Desk, user: Identity, earlier: list[CompletionMessage]) -> str:
    """A new session that has the earlier messages as its history."""
    storage = desk.parts.storage
    session_id = f"sess_{secrets.token_hex(16)}"
    await storage.sessions.ensure(NewSession(session_id, user.user_id, "", spawned_by="openai"))
    messages = [
        ChatMessage(
            session_id,
            user.user_id,
            each.role,
            each.text,
            msgspec.json.encode({"role": each.role, "content": each.text, "session_id": session_id}),
        )
        for each in earlier
    ]
    if messages:
        await storage.chat.append(messages)
    return session_id


def _refused(found: Failure) -> Response:
    """An error in the shape that OpenAI's clients read."""
    kind = TYPES.get(found.status, "invalid_request_error" if found.status < 500 else "server_error")
    error = {"message": found.message, "type": kind, "param": None, "code": found.code.lower()}
    response = encoded({"error": error}, found.status)
    if found.retry_after_s is not None:
        response.headers["retry-after"] = str(max(1, round(found.retry_after_s)))
    return response
