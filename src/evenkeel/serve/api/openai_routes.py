"""`/v1`: an agent behind the API that OpenAI's clients speak.

A request is a conversation of its own: a new session gets the earlier messages as its history, the last one is the
question. `metadata.session_id` goes on in a session instead. Tools are the agent's own and run on the server; the
client sees their outcome in the answer alone. A client that hangs up stops the run: it has no other way to.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Awaitable, Callable
from typing import Annotated, Any

import msgspec
from starlette.exceptions import HTTPException
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
from evenkeel.serve.api.failures import failure, failure_of
from evenkeel.serve.api.front import language_in
from evenkeel.serve.api.openai_stream import CHANNEL, Completion, CompletionStream, refused, usage_object
from evenkeel.serve.ports.documents import says
from evenkeel.serve.ports.failures import CodedError
from evenkeel.serve.ports.identity import Identity
from evenkeel.serve.ports.requests import Attachment, RunRequest
from evenkeel.serve.ports.runs import Begun, Queued

ALIAS = "evenkeel"  # whatever model a request without one gets


class CompletionMessage(msgspec.Struct, frozen=True):
    """One message of a conversation; content is a text or a list of parts."""

    role: Annotated[str, says("`system`, `user`, `assistant`")]
    content: Annotated[
        str | list[dict[str, Any]] | None, says("A text, or parts of type text and image_url (data URLs)")
    ] = None

    @property
    def text(self) -> str:
        """The text of a message; parts that are no text are left out."""
        if isinstance(self.content, list):
            return "\n".join(str(part.get("text", "")) for part in self.content if part.get("type") == "text")
        return self.content or ""

    @property
    def pictures(self) -> tuple[Attachment, ...]:
        """The pictures of a message. Raises `CodedError` INVALID_REQUEST for one that is elsewhere: nothing is fetched."""
        parts = self.content if isinstance(self.content, list) else []
        named = [part.get("image_url") for part in parts if part.get("type") == "image_url"]
        urls = [str(each.get("url", "")) if isinstance(each, dict) else "" for each in named]
        if not all(url.startswith("data:image/") for url in urls):
            raise CodedError("INVALID_REQUEST", "A picture must be a data URL: this server fetches none.")
        return tuple(Attachment(content=url) for url in urls)


class StreamOptions(msgspec.Struct, frozen=True):
    """What a stream ends with."""

    include_usage: Annotated[bool, says("A last chunk with usage")] = False


class CompletionBody(msgspec.Struct, frozen=True):
    """The body of `POST /v1/chat/completions`, as far as it has a meaning here; the rest is ignored."""

    messages: Annotated[tuple[CompletionMessage, ...], says("The conversation; the last one is the question")]
    model: Annotated[str, says("One of /v1/models; empty = the default")] = ""
    stream: Annotated[bool, says("As chunks")] = False
    stream_options: Annotated[StreamOptions | None, says("Of a stream")] = None
    user: Annotated[str | None, says("For whom, where the server's key is sent")] = None
    tools: Annotated[list[Any] | None, says("Refused: tools are the server's")] = None
    n: Annotated[int | None, says("1")] = None
    temperature: Annotated[float | None, says("Of the model")] = None
    max_tokens: Annotated[int | None, says("Of each model call")] = None
    max_completion_tokens: Annotated[int | None, says("The same, by its newer name")] = None
    stop: Annotated[str | tuple[str, ...] | None, says("Texts that end an answer")] = None
    metadata: Annotated[dict[str, str] | None, says("`session_id`: go on in that session")] = None


def openai_routes(desk: Desk) -> list[BaseRoute]:
    """Completions and the list of models."""

    async def completions(request: Request) -> Response:
        return await _completions(desk, request)

    async def models(request: Request) -> Response:
        await _caller(desk, request, None)
        return encoded({"object": "list", "data": [_model(name) for name in (*desk.models, ALIAS)]})

    async def model(request: Request) -> Response:
        await _caller(desk, request, None)
        return encoded(_model(_known(desk, request.path_params["model"])))

    return [
        Route("/v1/chat/completions", _told(completions), methods=["POST"]),
        Route("/v1/models", _told(models), methods=["GET"]),
        Route("/v1/models/{model:path}", _told(model), methods=["GET"]),
    ]


def _told(handler: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
    """Whatever goes wrong, in the shape that OpenAI's clients read."""

    async def handle(request: Request) -> Response:
        try:
            return await handler(request)
        except EvenkeelError as error:
            return refused(failure_of(error, language_in(request.scope)))
        except HTTPException as error:  # a body that cannot be read
            return refused(failure(error.status_code, str(error.detail or "")))

    return handle


def _model(name: str) -> dict[str, object]:
    return {"id": name, "object": "model", "created": 0, "owned_by": "evenkeel"}


def _known(desk: Desk, name: str) -> str:
    if name not in {ALIAS, *desk.models}:
        raise NotFoundError(f"There is no model {name!r}.", hint=f"Known: {', '.join(desk.models)}, {ALIAS}.")
    return name


async def _completions(desk: Desk, request: Request) -> Response:
    asked_at = time.perf_counter()
    desk.streams.refuse_while_draining()
    body = decoded(await request.body(), CompletionBody)
    user = await _caller(desk, request, body.user)
    run = await _run(desk, user, body)
    begun = await desk.runs.submit(run)
    if isinstance(begun, Queued):
        raise SessionBusyError(begun.session_id)
    with_usage = body.stream_options is not None and body.stream_options.include_usage
    completion = Completion.begun(begun.session_id, body.model or ALIAS, with_usage=with_usage)
    if body.stream:
        return CompletionStream(desk, user.user_id, begun, completion, asked_at=asked_at)
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
    if body.n not in {None, 1}:
        raise CodedError("INVALID_REQUEST", "There is one answer: leave n out.")
    spoken = [message for message in body.messages if message.role in {"user", "assistant"}]
    if not spoken or spoken[-1].role != "user" or not spoken[-1].text.strip():
        raise CodedError("INVALID_REQUEST", "The last message must be a user's, and not empty.")
    named = _known(desk, body.model or ALIAS)
    pictures = spoken[-1].pictures
    instructions = "\n\n".join(each.text for each in body.messages if each.role in {"system", "developer"})
    session_id = (body.metadata or {}).get("session_id", "").strip()
    if not session_id:
        session_id = await _session_with(desk, user, spoken[:-1])
    return RunRequest(
        user_id=user.user_id,
        question=spoken[-1].text,
        session_id=session_id,
        model_name=named if named in desk.models else "",
        agent_prompt=instructions,
        config_overrides=_sampling(body, named if named in desk.models else desk.models[0]),
        attachments=pictures,
        allow_queue=False,
        is_admin=user.is_admin,
        registered=user.registered,
    )


def _sampling(body: CompletionBody, model: str) -> dict[str, Any]:
    """What the request wants of its model, as overrides of the agent's settings for this run."""
    stop = (body.stop,) if isinstance(body.stop, str) else body.stop
    most = body.max_tokens if body.max_completion_tokens is None else body.max_completion_tokens
    wanted = {"temperature": body.temperature, "max_tokens": most, "stop": stop}
    given = {name: value for name, value in wanted.items() if value is not None}
    return {"models": {model: given}} if given else {}


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
