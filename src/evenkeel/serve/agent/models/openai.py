"""Any endpoint with `/chat/completions`, streamed over HTTP.

Through aiohttp, whose parser is C: what a streamed token costs is in docs/evidence/prove.md.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any

import aiohttp
import msgspec

from evenkeel.hotpath.ports.messages import LeanMessages
from evenkeel.kernel.errors import ConfigurationError
from evenkeel.serve.agent.models.calls import ModelCall, ModelFailedError, Piece, Reply, ToolSpec, function_name
from evenkeel.serve.agent.models.wire import LINE_BYTES, Answer, Lines
from evenkeel.serve.agent.settings import ModelSettings

PASSING = frozenset({408, 409, 425, 429, 500, 502, 503, 504})
SAID_BYTES = 2_000
END_S = 0.1
WAIT_MAX_S = 60.0
"""The longest `Retry-After` that is honoured."""


class OpenAiModel:
    """`Model`. `http` is shared by all models; its pool bounds the connections."""

    def __init__(
        self, name: str, settings: ModelSettings, key: str, http: aiohttp.ClientSession, lean: LeanMessages
    ) -> None:
        self._settings = settings
        self._name = settings.model or name
        self._http, self._lean = http, lean
        self._url = completions_url(settings.base_url)
        self._headers = {"content-type": "application/json", "accept-encoding": "identity"}
        if key:
            self._headers["authorization"] = f"Bearer {key}"
        self._timeout = aiohttp.ClientTimeout(sock_connect=settings.connect_s, sock_read=settings.idle_s)
        self._usage_refused = False

    @property
    def settings(self) -> ModelSettings:
        """See the port."""
        return self._settings

    @property
    def name(self) -> str:
        """See the port."""
        return self._name

    def request(self, call: ModelCall) -> Mapping[str, Any]:
        """See the port."""
        settings = self._settings
        body: dict[str, Any] = {
            "model": self._name,
            "messages": call.messages,
            "temperature": settings.temperature,
            "stream": settings.stream,
        }
        if settings.stream and settings.stream_usage and not self._usage_refused:
            body["stream_options"] = {"include_usage": True}
        if settings.max_tokens is not None:
            body["max_tokens"] = settings.max_tokens
        if settings.stop:
            body["stop"] = settings.stop
        if call.tools and settings.tool_call_mode == "function_call":
            body["tools"] = [_function(spec) for spec in call.tools]
            body["tool_choice"] = "auto"
        return body

    async def stream(self, call: ModelCall, reply: Reply) -> AsyncIterator[Piece]:
        """See the port."""
        try:
            async with asyncio.timeout(self._settings.total_s), self._answer(call) as response:
                pieces = self._streamed(response, reply) if self._settings.stream else self._whole(response, reply)
                async for piece in pieces:
                    yield piece
        except aiohttp.ServerTimeoutError as error:
            raise ModelFailedError(
                f"The model did not answer in time ({type(error).__name__}).", passing=True, timed_out=True
            ) from None
        except aiohttp.ClientError as error:
            raise ModelFailedError(
                f"The model cannot be reached: {str(error) or type(error).__name__}.", passing=True
            ) from None
        except TimeoutError:
            raise ModelFailedError(
                f"The model needed more than {self._settings.total_s:g} s.", passing=False, timed_out=True
            ) from None

    @asynccontextmanager
    async def _answer(self, call: ModelCall) -> AsyncIterator[aiohttp.ClientResponse]:
        """The head of an answer that is one. An endpoint that does not know `stream_options` is asked without."""
        body = self.request(call)
        async with self._post(body) as response:
            if not (response.status in {400, 422} and "stream_options" in body):
                await _check(response)
                yield response
                return
            said = await _said(response)
        bare = {name: value for name, value in body.items() if name != "stream_options"}
        async with self._post(bare) as response:
            if response.status in {400, 422}:
                raise ModelFailedError(f"The model refused ({response.status}): {said}", passing=False)
            await _check(response)
            self._usage_refused = True
            yield response

    def _post(self, body: Mapping[str, Any]) -> Any:
        content = self._lean.encode(body)
        return self._http.post(
            self._url, data=content, headers=self._headers, timeout=self._timeout, allow_redirects=False
        )

    @staticmethod
    async def _streamed(response: aiohttp.ClientResponse, reply: Reply) -> AsyncIterator[Piece]:
        lines, answer = Lines(), Answer(reply)
        received = response.content.iter_any()
        async for data in received:
            piece = answer.take(lines.fed(data))
            if piece is not None:
                yield piece
            if answer.done:
                await _rest_of(received)
                break
        piece = answer.take(lines.rest())
        if piece is not None:
            yield piece
        answer.finish()

    @staticmethod
    async def _whole(response: aiohttp.ClientResponse, reply: Reply) -> AsyncIterator[Piece]:
        body = await _bounded(response, LINE_BYTES * 8)
        answer = Answer(reply)
        yield answer.whole(body)
        answer.finish()


async def _rest_of(received: AsyncIterable[bytes]) -> None:
    """The end of the body, which follows the last event at once: a connection that was read to its end is used again."""
    with suppress(TimeoutError, aiohttp.ClientError):
        async with asyncio.timeout(END_S):
            async for _ in received:
                pass


def completions_url(base_url: str) -> str:
    """`/v1` is inserted unless the address ends in it. Raises `ConfigurationError` for what is no address."""
    if not base_url.startswith(("http://", "https://")):
        raise ConfigurationError(
            f"agent.models: base_url is {base_url!r}.", hint="Write the endpoint's address, such as https://host/v1."
        )
    base = base_url.rstrip("/")
    return f"{base}/chat/completions" if base.endswith("/v1") else f"{base}/v1/chat/completions"


def _function(spec: ToolSpec) -> dict[str, Any]:
    return {
        "type": "function",
        "function": {"name": function_name(spec.name), "description": spec.description, "parameters": spec.parameters},
    }


async def _check(response: aiohttp.ClientResponse) -> None:
    status = response.status
    if status < 300:
        return
    said = await _said(response)
    raise ModelFailedError(
        f"The model answered {status}: {said}",
        passing=status in PASSING,
        retry_after_s=_retry_after(response.headers.get("retry-after", "")),
    )


def _retry_after(text: str) -> float:
    try:
        return min(WAIT_MAX_S, max(0.0, float(text)))
    except ValueError:
        return 0.0


async def _said(response: aiohttp.ClientResponse) -> str:
    """The error's message, or the beginning of whatever came."""
    body = await _bounded(response, SAID_BYTES)
    try:
        error = msgspec.json.decode(body)["error"]
        return str(error["message"] if isinstance(error, dict) else error)[:500]
    except (msgspec.DecodeError, KeyError, TypeError):
        return body.decode(errors="replace")[:500]


async def _bounded(response: aiohttp.ClientResponse, bound: int) -> bytes:
    parts, size = [], 0
    async for data in response.content.iter_any():
        parts.append(data)
        size += len(data)
        if size >= bound:
            break
    return b"".join(parts)[:bound]
