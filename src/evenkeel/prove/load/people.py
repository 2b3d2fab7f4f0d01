"""Users and their sessions, made over the chat API."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import msgspec

from evenkeel.kernel.errors import UnavailableError
from evenkeel.prove.load.sse import HttpClient


class _Login(msgspec.Struct):
    access_token: str = ""


class _LoginAnswer(msgspec.Struct):
    data: _Login


class _Session(msgspec.Struct):
    id: str


class _SessionAnswer(msgspec.Struct):
    data: _Session


class Said(msgspec.Struct):
    """A message of a session."""

    role: str = ""
    content: str = ""


class _Messages(msgspec.Struct):
    messages: list[Said] = []


class _MessagesAnswer(msgspec.Struct):
    data: _Messages


async def register(client: HttpClient, name: str) -> str:
    """A new user; the token."""
    body: dict[str, object] = {"username": name, "password": f"{name}-Secret-1"}
    for path in ("/wunder/auth/register", "/wunder/auth/login"):
        status, answer = await client.post(path, body)
        if status == 200:
            return msgspec.json.decode(answer, type=_LoginAnswer).data.access_token
    raise UnavailableError(f"User {name} could not be made: HTTP {status} {answer[:200]!r}.")


async def open_session(client: HttpClient, token: str) -> str:
    """A new chat session; its id."""
    status, answer = await client.post("/wunder/chat/sessions", {}, token=token)
    if status != 200:
        raise UnavailableError(f"A session could not be made: HTTP {status} {answer[:200]!r}.")
    return msgspec.json.decode(answer, type=_SessionAnswer).data.id


async def open_sessions(
    client: HttpClient, tokens: list[str], count: int, *, at_once: int = 32, told: Callable[[int], None] | None = None
) -> list[tuple[str, str]]:
    """So many (token, session), spread over the users."""
    gate = asyncio.Semaphore(at_once)
    made: list[tuple[str, str]] = []

    async def one(number: int) -> None:
        async with gate:
            token = tokens[number % len(tokens)]
            made.append((token, await open_session(client, token)))
        if told:
            told(len(made))

    await asyncio.gather(*(one(number) for number in range(count)))
    return made


async def messages(client: HttpClient, token: str, session: str) -> list[Said]:
    """What a session holds, as its user sees it."""
    status, answer = await client.get(f"/wunder/chat/sessions/{session}?limit=1000", token=token)
    if status != 200:
        raise UnavailableError(f"Session {session} could not be read: HTTP {status} {answer[:200]!r}.")
    return msgspec.json.decode(answer, type=_MessagesAnswer).data.messages
