"""The first door of every request, as plain ASGI: language, trace id, duration, and an answer to whatever fails."""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Mapping

from starlette.datastructures import Headers
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.contextvars import bind_contextvars

from evenkeel.serve.api.failures import failure, response_of
from evenkeel.serve.api.meters import ApiMeter
from evenkeel.serve.api.texts import language_of

LOG = logging.getLogger(__name__)
STATE = "evenkeel"
OTHER = "other"
HEAD = "evenkeel.head"


class Front:
    """Around everything else. Puts `language`, `trace_id` and the server's own `send` into `scope["evenkeel"]`."""

    def __init__(
        self, app: ASGIApp, *, meter: ApiMeter, default_language: str, templates: Mapping[object, BaseRoute]
    ) -> None:
        self._app = app
        self._meter = meter
        self._default = default_language
        self._templates = templates  # FastAPI names the route that took a request only where it is one of its own

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        language = language_of(headers, scope["query_string"], self._default)
        trace_id = f"err_{secrets.token_hex(16)}"  # the contract's form; it names the request where nothing fails, too
        scope[STATE] = {"language": language, "trace_id": trace_id, "send": send}
        bind_contextvars(trace_id=trace_id)  # every line that is logged for this request
        if scope["type"] == "websocket":
            await self._app(scope, receive, send)
            return
        await self._http(scope, receive, send, language)

    async def _http(self, scope: Scope, receive: Receive, send: Send, language: str) -> None:
        started = time.perf_counter()
        status = 0
        method = scope["method"]
        if method == "HEAD":  # the server leaves the body out, by its own scope
            scope = {**scope, "method": "GET", HEAD: True}

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                _add_headers(message, language, scope[STATE]["trace_id"])
            await send(message)

        try:
            await self._app(scope, receive, sending)
        except Exception:
            LOG.exception("%s %s failed", method, scope["path"])
            if status:
                raise  # the answer had begun: all that is left is to cut it off
            await response_of(failure(500, language=language), scope[STATE]["trace_id"])(scope, receive, sending)
        finally:
            if "route" not in scope and (route := self._templates.get(scope.get("endpoint"))) is not None:
                scope["route"] = route
            self._meter.request(route_of(scope), method, status or 499, time.perf_counter() - started)


def language_in(scope: Scope) -> str:
    """The language of a request."""
    return str(scope.get(STATE, {}).get("language", "en-US"))


def is_head(scope: Scope) -> bool:
    """Whether a request that is answered as GET is a HEAD: nobody reads the body."""
    return bool(scope.get(HEAD))


def body_sender(scope: Scope, send: Send) -> Send:
    """The shortest way for the parts of a body once its response has started: what stands in between looks at the start
    alone, and costs a streamed token as much as the rest of its way out.
    """
    direct: Send = scope.get(STATE, {}).get("send", send)
    return direct


def trace_in(scope: Scope) -> str:
    """The trace id of a request."""
    return str(scope.get(STATE, {}).get("trace_id", ""))


def route_of(scope: Scope) -> str:
    """The template of the route that took a request: never the path itself, or metrics would grow without end."""
    return str(getattr(scope.get("route"), "path", OTHER))


def _add_headers(message: Message, language: str, trace_id: str) -> None:
    raw = message.setdefault("headers", [])
    known = Headers(raw=raw)
    if "content-language" not in known:
        raw.append((b"content-language", language.encode()))
    if "x-trace-id" not in known:
        raw.append((b"x-trace-id", trace_id.encode()))
