"""The one place that puts the API together."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from evenkeel import __version__
from evenkeel.hotpath.ports.bounded import MapRules
from evenkeel.kernel.background import background
from evenkeel.kernel.clock import Clock
from evenkeel.kernel.errors import EvenkeelError, UnavailableError
from evenkeel.serve.api import auth_routes, chat_routes, chat_streams, small_routes, wunder
from evenkeel.serve.api.accounts import Accounts
from evenkeel.serve.api.callers import Callers
from evenkeel.serve.api.desk import Desk
from evenkeel.serve.api.documents import with_streams
from evenkeel.serve.api.failures import failure, failure_of, response_of
from evenkeel.serve.api.front import Front, language_in, trace_in
from evenkeel.serve.api.guard import BodyLimit, Guard, Passwords, is_admin_path
from evenkeel.serve.api.health import Gather, Queue, health_routes
from evenkeel.serve.api.meters import ApiMeter
from evenkeel.serve.api.openai_routes import openai_routes
from evenkeel.serve.api.settings import ApiSettings, AuthSettings
from evenkeel.serve.api.streams import OpenStreams
from evenkeel.serve.api.ws.doors import socket_addresses
from evenkeel.serve.ports.documents import Operation
from evenkeel.serve.ports.parts import Parts
from evenkeel.serve.ports.runs import Runs

NOTE_USES_S = 60.0


@dataclass(frozen=True, slots=True)
class ApiOptions:
    """What the API is told of the rest of the server.

    `routes` are those of other rooms, asked after the API's own; the console's come last, since it answers at `/`.
    `described` = what the OpenAPI document says of them.
    `wrap` goes around everything else (traces). `needs_no_key`: admin paths whose calls are signed, so that the guard
    lets them through to their own check.
    """

    queue: Queue
    models: Sequence[str] = ("evenkeel",)
    routes: Sequence[BaseRoute] = ()
    described: Sequence[Operation] = ()
    gather: Gather | None = None
    wrap: Middleware | None = None
    needs_no_key: Callable[[str], bool] = lambda _path: False


@dataclass(frozen=True, slots=True)
class Api:
    """The ASGI application, and what the process needs of it."""

    asgi: ASGIApp
    http: FastAPI
    accounts: Accounts
    streams: OpenStreams


@asynccontextmanager
async def build_api(
    parts: Parts, runs: Runs, settings: ApiSettings, auth: AuthSettings, options: ApiOptions
) -> AsyncIterator[Api]:
    """An open API. Closing stores when tokens were last used; streams are ended by `Api.streams.drain` before."""
    meter = ApiMeter(parts.meters, parts.switches.profile)
    callers = Callers(auth, parts.storage, parts.maps, parts.clock)
    accounts = Accounts(parts, auth, callers)
    streams = OpenStreams(settings, meter)
    kept: MapRules[str, tuple[str, ...]] = MapRules("api-session-tools", auth.cache_entries, auth.cache_s)
    desk = Desk(parts, runs, settings, auth, callers, accounts, meter, streams, parts.maps.map(kept), options.models)
    http = _application(desk, options)
    asgi = Entrance(http, _sockets(desk, options))
    async with background(_noting(callers, parts.clock), "evenkeel-api-token-uses"):
        try:
            yield Api(asgi, http, accounts, streams)
        finally:
            await _note(callers)


class Entrance:
    """WebSockets go straight to their addresses: for as long as one stays, each layer it came through keeps its frame.
    What a request is about is forgotten with it.
    """

    def __init__(self, http: ASGIApp, sockets: Mapping[str, ASGIApp]) -> None:
        self._http = http
        self._sockets = sockets

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        socket = self._sockets.get(scope["path"]) if scope["type"] == "websocket" else None
        try:
            await (socket or self._http)(scope, receive, send)
        finally:
            scope.clear()  # what was put in there refers to the connection, which keeps it for as long as it stays


def _sockets(desk: Desk, options: ApiOptions) -> dict[str, ASGIApp]:
    """The addresses of WebSockets, behind what of the middleware concerns them."""
    found: dict[str, ASGIApp] = {}
    for path, address in socket_addresses(desk).items():
        app = address
        if is_admin_path(path):
            app = Guard(app, callers=desk.callers, needs_no_key=options.needs_no_key)
        app = Front(app, meter=desk.meter, default_language=desk.settings.default_language, templates={})
        found[path] = options.wrap.cls(app, *options.wrap.args, **options.wrap.kwargs) if options.wrap else app
    return found


def _application(desk: Desk, options: ApiOptions) -> FastAPI:
    templates: dict[object, BaseRoute] = {}
    asgi = FastAPI(
        title="evenkeel",
        version=__version__,
        summary="An agent backend: questions in, answers streamed.",
        docs_url=None,  # these pages load scripts from elsewhere; /openapi.json is what tools read
        redoc_url=None,
        redirect_slashes=False,
        middleware=_middleware(desk, options, templates),
        exception_handlers={
            HTTPException: _on_http,
            RequestValidationError: _on_invalid,
            EvenkeelError: _on_known,
        },
    )
    # first, since routes are tried in turn, and most requests are for these
    asgi.router.routes.extend([*wunder.routes(desk), *chat_streams.chat_streams(desk), *openai_routes(desk)])
    asgi.include_router(health_routes(desk, options.queue, options.gather))
    for routes in (
        auth_routes.auth_routes,
        auth_routes.profile_routes,
        chat_routes.chat_routes,
        chat_routes.tool_routes,
        small_routes.small_routes,
    ):
        asgi.include_router(routes(desk))
    asgi.router.routes.extend(options.routes)
    templates.update({route.endpoint: route for route in asgi.router.routes if isinstance(route, Route)})
    with_streams(asgi, options.described)
    return asgi


def _middleware(desk: Desk, options: ApiOptions, templates: Mapping[object, BaseRoute]) -> list[Middleware]:
    """From outside in. All plain ASGI: nothing here reads a stream's body or hides that a client went away."""
    settings = desk.settings
    found = [Middleware(Front, meter=desk.meter, default_language=settings.default_language, templates=templates)]
    if options.wrap is not None:
        found.insert(0, options.wrap)
    if settings.cors_origins:
        found.append(
            Middleware(
                CORSMiddleware,
                allow_origins=settings.cors_origins,
                allow_methods=["GET", "POST", "PATCH", "DELETE"],
                allow_headers=["authorization", "content-type", "x-wunder-language", "x-api-key", "last-event-id"],
                expose_headers=["x-trace-id", "x-error-code"],
            )
        )
    return [
        *found,
        Middleware(Guard, callers=desk.callers, needs_no_key=options.needs_no_key),
        Middleware(Passwords, check=desk.parts.passwords.check),
        Middleware(BodyLimit, bound_bytes=settings.body_bytes),
    ]


async def _on_http(request: Request, error: Any) -> Response:
    found = failure(error.status_code, str(error.detail or ""), language=language_in(request.scope))
    response = response_of(found, trace_in(request.scope))
    for name, value in (error.headers or {}).items():
        response.headers[name] = value
    return response


async def _on_invalid(request: Request, error: Any) -> Response:
    """Malformed JSON is 400; what does not fit is 422, with the place."""
    first = error.errors()[0] if error.errors() else {}
    place = ".".join(str(part) for part in first.get("loc", ()))
    malformed = first.get("type") == "json_invalid"
    status = 400 if malformed else 422
    found = failure(status, f"{place}: {first.get('msg', 'does not fit')}", language=language_in(request.scope))
    return response_of(found, trace_in(request.scope))


async def _on_known(request: Request, error: Any) -> Response:
    return response_of(failure_of(error, language_in(request.scope)), trace_in(request.scope))


async def _noting(callers: Callers, clock: Clock) -> None:
    while True:
        await clock.sleep(NOTE_USES_S)
        await _note(callers)


async def _note(callers: Callers) -> None:
    try:
        await callers.note_uses()
    except UnavailableError:
        return  # when a token was last used is not worth an alarm
