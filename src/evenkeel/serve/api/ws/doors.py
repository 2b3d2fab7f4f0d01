"""The two addresses for WebSockets, and who may enter by them."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

import msgspec
from starlette.datastructures import Headers, QueryParams
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send

from evenkeel.kernel.errors import EvenkeelError
from evenkeel.serve.api.callers import socket_token
from evenkeel.serve.api.chat_streams import MessageBody, chat_run
from evenkeel.serve.api.desk import Desk, operator_of
from evenkeel.serve.api.failures import failure, failure_of, response_of
from evenkeel.serve.api.front import language_in, trace_in
from evenkeel.serve.api.ws.messages import Inbound, Place, SocketError, payload_as, session_of
from evenkeel.serve.api.ws.socket import Socket
from evenkeel.serve.api.wunder import WunderBody, request_of
from evenkeel.serve.ports.identity import Identity
from evenkeel.serve.ports.requests import RunRequest


class ChatStart(MessageBody, frozen=True):
    """The payload of `start` at `/wunder/chat/ws`."""

    content: str = ""
    session_id: str | None = None


class CoreStart(WunderBody, frozen=True):
    """The payload of `start` at `/wunder/ws`: a body of `POST /wunder`."""

    user_id: str = ""
    question: str = ""


@dataclass(frozen=True, slots=True)
class ChatDoor:
    """`/wunder/chat/ws`: a user, and sessions of this user's own."""

    desk: Desk
    token: str
    user: Identity
    can_watch: bool = True
    foreign: str = "SESSION_NOT_FOUND"

    @property
    def caller(self) -> str:
        """See `Door`."""
        return self.user.user_id

    async def run(self, message: Inbound, language: str) -> RunRequest:
        """See `Door`."""
        start = payload_as(message, ChatStart)
        user = await self._still()
        session_id = session_of(message, start.session_id)
        if not session_id:
            raise SocketError("SESSION_REQUIRED", "start needs a session_id.")
        if not start.content.strip():
            raise SocketError("QUESTION_REQUIRED", "The message is empty.")
        run = chat_run(user, session_id, start, language)
        return msgspec.structs.replace(run, tool_names=await self.desk.tools_of(session_id, user))

    async def owner(self, place_: Place, /) -> str:  # noqa: ARG002 - a user acts on their own behalf alone
        """See `Door`."""
        return (await self._still()).user_id

    async def _still(self) -> Identity:
        """A connection may outlive its token."""
        user = await self.desk.callers.user(self.token)
        if user is None:
            raise SocketError("UNAUTHORIZED", "The token has ended.", hint="Log in and connect again.", fatal=True)
        return user


@dataclass(frozen=True, slots=True)
class CoreDoor:
    """`/wunder/ws`: the server's key or an administrator, on behalf of a user."""

    desk: Desk
    operator: Identity
    user_id: str
    can_watch: bool = False
    foreign: str = "PERMISSION_DENIED"

    @property
    def caller(self) -> str:
        """See `Door`."""
        return self.operator.user_id or "operator"

    async def run(self, message: Inbound, language: str) -> RunRequest:
        """See `Door`."""
        start = payload_as(message, CoreStart)
        if not start.question.strip():
            raise SocketError("QUESTION_REQUIRED", "The question is empty.")
        target = await self.desk.callers.target(self._user(start.user_id))
        body = msgspec.structs.replace(start, session_id=session_of(message, start.session_id))
        run = request_of(body, target, language)
        return msgspec.structs.replace(run, request_id=f"req_{secrets.token_hex(16)}")

    async def owner(self, place_: Place, /) -> str:
        """See `Door`."""
        return self._user(place_.user_id or "")

    def _user(self, named: str) -> str:
        user_id = named.strip() or self.user_id or self.operator.user_id
        if not user_id:
            raise SocketError("UNAUTHORIZED", "Say for whom: add user_id to the address.")
        return user_id


@dataclass(frozen=True, slots=True)
class ChatAddress:
    """`/wunder/chat/ws`, as plain ASGI."""

    desk: Desk

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        token = socket_token(
            Headers(scope=scope), scope.get("subprotocols", []), QueryParams(scope["query_string"]).get
        )
        try:
            user = await self.desk.callers.user(token)
        except EvenkeelError as error:
            await response_of(failure_of(error, language_in(scope)), trace_in(scope))(scope, receive, send)
            return
        if user is None:
            await response_of(failure(401, language=language_in(scope)), trace_in(scope))(scope, receive, send)
            return
        await _served(self.desk, ChatDoor(self.desk, token, user), scope, receive, send)


@dataclass(frozen=True, slots=True)
class CoreAddress:
    """`/wunder/ws`, as plain ASGI; the guard let the caller in."""

    desk: Desk

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        user_id = QueryParams(scope["query_string"]).get("user_id", "").strip()
        operator = operator_of(HTTPConnection(scope))
        await _served(self.desk, CoreDoor(self.desk, operator, user_id), scope, receive, send)


async def _served(desk: Desk, door: ChatDoor | CoreDoor, scope: Scope, receive: Receive, send: Send) -> None:
    """Serve a connection, or answer plain HTTP when there is no place for it."""
    try:
        desk.streams.check(door.caller)
    except EvenkeelError as error:
        await response_of(failure_of(error, language_in(scope)), trace_in(scope))(scope, receive, send)
        return
    socket = Socket(desk, door, scope, receive, send)
    scope["headers"].clear()  # they were read; the server would keep them for as long as the connection stays
    await socket.serve()


def socket_addresses(desk: Desk) -> dict[str, ASGIApp]:
    """Both addresses; who may enter at `/wunder/ws` is the guard's affair."""
    return {"/wunder/chat/ws": ChatAddress(desk), "/wunder/ws": CoreAddress(desk)}
