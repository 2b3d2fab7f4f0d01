"""A WebSocket client that sorts what it gets by request."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

Message = dict[str, Any]


@dataclass
class Client:
    """One connection; `seen` is everything that came."""

    connection: ClientConnection
    seen: list[Message] = field(default_factory=list)

    async def send(self, kind: str, **fields: Any) -> None:
        await self.connection.send(json.dumps({"type": kind, **fields}))

    async def next(self) -> Message:
        message: Message = json.loads(await self.connection.recv())
        self.seen.append(message)
        return message

    async def until(self, kind: str, **fields: Any) -> Message:
        """Read up to a message of this kind, or an event of this name, with these envelope fields."""
        while True:
            message = await self.next()
            if kind in {message["type"], message.get("payload", {}).get("event")} and fields.items() <= message.items():
                return message

    async def error(self) -> str:
        """The code of the next error."""
        return str((await self.until("error"))["payload"]["code"])

    def events(self, request_id: str) -> list[dict[str, Any]]:
        """Payloads of the events of one request so far."""
        return [each["payload"] for each in self.seen if each["type"] == "event" and each["request_id"] == request_id]


@asynccontextmanager
async def client(url: str, headers: dict[str, str] | None = None, **options: Any) -> AsyncIterator[Client]:
    """Connect, and read the `ready` that comes unasked."""
    async with connect(url, additional_headers=headers, compression=None, **options) as connection:
        found = Client(connection)
        first = await found.next()
        assert (first["type"], "request_id" in first) == ("ready", False)
        yield found
