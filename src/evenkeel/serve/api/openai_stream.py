"""Answers of `/v1/chat/completions`: whole, and as chunks."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from evenkeel.hotpath.ports.bus import Event, Settled
from evenkeel.hotpath.ports.stream_events import HistoryLost
from evenkeel.kernel.background import background
from evenkeel.kernel.errors import EvenkeelError
from evenkeel.serve.api.desk import Desk
from evenkeel.serve.api.failures import Failure, failure_of
from evenkeel.serve.api.frames import DELTA, ending, fresh, inner_of
from evenkeel.serve.api.front import language_in
from evenkeel.serve.ports.runs import Begun, Usage

CHANNEL = "openai"
DONE = b"data: [DONE]\n\n"
TYPES = {401: "authentication_error", 403: "permission_error", 404: "not_found_error", 429: "rate_limit_error"}
Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Completion:
    """What every part of one answer repeats."""

    completion_id: str
    created: int
    model: str
    with_usage: bool = False

    @classmethod
    def begun(cls, session_id: str, model: str, *, with_usage: bool) -> Completion:
        """The answer of a run; its id names the session."""
        return cls(f"chatcmpl-{session_id.removeprefix('sess_')}", int(time.time()), model, with_usage)

    def whole(self, choice: Json, usage: Json) -> Json:
        """A plain answer."""
        return {**self._head("chat.completion"), "choices": [choice], "usage": usage}

    def chunk(self, delta: Json, finish: str | None = None) -> bytes:
        """One chunk of a stream."""
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        empty: Json = {"usage": None} if self.with_usage else {}  # as OpenAI's own: the field, and nothing in it
        return _sse({**self._head("chat.completion.chunk"), "choices": [choice], **empty})

    def usage(self, usage: Json) -> bytes:
        """The chunk that carries usage and no choice."""
        return _sse({**self._head("chat.completion.chunk"), "choices": [], "usage": usage})

    def _head(self, kind: str) -> dict[str, Any]:
        return {"id": self.completion_id, "object": kind, "created": self.created, "model": self.model}


def usage_object(usage: Usage) -> Json:
    """Tokens, as OpenAI names them."""
    return {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.total_tokens,
    }


def refused(found: Failure) -> Response:
    """An error in the shape that OpenAI's clients read."""
    kind = TYPES.get(found.status, "invalid_request_error" if found.status < 500 else "server_error")
    error = {"message": found.message, "type": kind, "param": None, "code": found.code.lower()}
    headers = {"x-error-code": found.code}
    if found.retry_after_s is not None:
        headers["retry-after"] = str(max(1, round(found.retry_after_s)))
    return Response(msgspec.json.encode({"error": error}), found.status, headers, "application/json")


class CompletionStream(Response):
    """A run as chunks."""

    media_type = "text/event-stream"

    def __init__(self, desk: Desk, caller: str, begun: Begun, completion: Completion, *, asked_at: float) -> None:
        super().__init__(headers={"cache-control": "no-store", "x-accel-buffering": "no"})
        del self.headers["content-length"]
        self._desk = desk
        self._caller = caller
        self._begun = begun
        self._completion = completion
        self._asked_at = asked_at
        self._ended = False
        self._shown = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            with self._desk.streams.entered("openai", self._caller, lambda: None):
                await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
                async with background(self._hang_up(receive), "evenkeel-openai-watch"):
                    async for chunk in self._chunks():
                        await send({"type": "http.response.body", "body": chunk, "more_body": True})
                await send({"type": "http.response.body", "body": DONE, "more_body": False})
        except EvenkeelError as error:
            await refused(failure_of(error, language_in(scope)))(scope, receive, send)
        finally:
            await self._begun.subscription.aclose()
            if not self._ended:
                await self._desk.runs.cancel(self._begun.session_id)

    async def _hang_up(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        await self._begun.subscription.aclose()

    async def _chunks(self) -> AsyncIterator[bytes]:
        after_id, asked_at = 0, self._asked_at
        yield self._completion.chunk({"role": "assistant", "content": ""})
        async for delivery in self._begun.subscription:
            if isinstance(delivery, Settled):
                if not after_id:
                    continue  # the silence before the run's first word
                return
            if isinstance(delivery, HistoryLost):
                continue
            if asked_at:
                self._desk.meter.first_event(CHANNEL, time.perf_counter() - asked_at)
                asked_at = 0.0
            events = fresh(delivery, after_id)
            after_id = events[-1].event_id
            found = b"".join([chunk for event in events for chunk in self._of(event)])
            if found:
                yield found
            if self._ended:
                return

    def _of(self, event: Event) -> Iterator[bytes]:
        """The chunks that an event becomes: text, and the end."""
        if self._ended or (event.kind != DELTA and not event.terminal):
            return
        inner = msgspec.json.decode(inner_of(event))
        if event.kind == DELTA:
            text = "".join(segment.get("delta") or "" for segment in inner.get("segments", (inner,)))
            if text:
                self._shown = True
                yield self._completion.chunk({"content": text})
        else:
            yield from self._last(event, inner)

    def _last(self, event: Event, inner: Json) -> Iterator[bytes]:
        self._ended = True
        self._desk.meter.run(CHANNEL, ending(event))
        if event.kind == "error":
            code = str(inner.get("code", "INTERNAL_ERROR"))
            yield _sse({"error": {"message": inner.get("message", code), "type": "server_error", "code": code.lower()}})
            return
        if not self._shown and inner.get("answer"):
            yield self._completion.chunk({"content": inner["answer"]})
        yield self._completion.chunk({}, "stop")
        if self._completion.with_usage:
            usage = inner.get("usage") or {}
            tokens = (int(usage.get(name) or 0) for name in ("input_tokens", "output_tokens", "total_tokens"))
            yield self._completion.usage(usage_object(Usage(*tokens)))


def _sse(value: Json) -> bytes:
    return b"data: %b\n\n" % msgspec.json.encode(value)
