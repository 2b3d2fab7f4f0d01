"""The guard: who may walk the admin paths, and how large a body may be. Plain ASGI; reads headers only."""

from __future__ import annotations

from collections.abc import Callable

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from evenkeel.hotpath.ports.errors import TooManyAttemptsError
from evenkeel.hotpath.ports.passwords import Attempt
from evenkeel.kernel.errors import EvenkeelError
from evenkeel.serve.api.callers import Callers
from evenkeel.serve.api.failures import failure, failure_of, response_of
from evenkeel.serve.api.front import STATE, language_in, trace_in

OPEN = (
    "ppt", "i18n", "doc2md", "temp_dir", "auth", "chat", "workspace", "user_tools", "agents", "external_links",
)  # fmt: skip
WITH_PASSWORD = frozenset({"/wunder/auth/login", "/wunder/auth/register", "/wunder/auth/setup"})
GUARDED = ("/wunder", "/a2a")


def is_admin_path(path: str) -> bool:
    """Section 0 of the contract: everything below `/wunder` and `/a2a` but for some prefixes."""
    if not path.startswith(GUARDED):
        return False
    return not path.startswith(tuple(f"/wunder/{prefix}" for prefix in OPEN))


class Guard:
    """Lets nobody onto an admin path without the server's key or an administrator's token."""

    def __init__(self, app: ASGIApp, *, callers: Callers, needs_no_key: Callable[[str], bool]) -> None:
        self._app = app
        self._callers = callers
        self._needs_no_key = needs_no_key  # calls that are signed: their own route checks them

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        guarded = scope["type"] == "websocket" or (scope["type"] == "http" and scope["method"] != "OPTIONS")
        if not guarded or not is_admin_path(scope["path"]):
            await self._app(scope, receive, send)
            return
        language = language_in(scope)
        try:
            operator = await self._callers.operator(Headers(scope=scope))
        except EvenkeelError as error:
            await response_of(failure_of(error, language), trace_in(scope))(scope, receive, send)
            return
        if operator is None and not self._needs_no_key(scope["path"]):
            status = 401 if self._callers.has_key else 500
            text = "" if self._callers.has_key else "The server has no API key; set EVENKEEL_API_KEY."
            await response_of(failure(status, text, language=language), trace_in(scope))(scope, receive, send)
            return
        scope[STATE]["operator"] = operator
        await self._app(scope, receive, send)


class Passwords:
    """Refuses who has used up its attempts to log in or to register before a body is read, parsed or looked up: a flood of
    them costs next to nothing.
    """

    def __init__(self, app: ASGIApp, *, check: Callable[[Attempt], None]) -> None:
        self._app = app
        self._check = check

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "POST" and scope["path"] in WITH_PASSWORD:
            client = scope.get("client")
            try:
                self._check(Attempt(client[0] if client else "unknown", ""))
            except TooManyAttemptsError as error:
                await response_of(failure_of(error, language_in(scope)), trace_in(scope))(scope, receive, send)
                return
        await self._app(scope, receive, send)


class BodyLimit:
    """Refuses bodies over the bound, by their stated length at once, else as soon as they exceed it."""

    def __init__(self, app: ASGIApp, *, bound_bytes: int) -> None:
        self._app = app
        self._bound = bound_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        stated = Headers(scope=scope).get("content-length", "0")
        if stated.isdigit() and int(stated) > self._bound:
            found = failure(413, f"The body has {stated} bytes; the bound is {self._bound}.")
            await response_of(found, trace_in(scope))(scope, receive, send)
            return
        seen = 0

        async def receiving() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > self._bound:
                raise HTTPException(413, f"The body is larger than {self._bound} bytes.")
            return message

        await self._app(scope, receiving, send)
