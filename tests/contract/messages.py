"""Messages to store, and statements past the storage, for the tests of opening and closing."""

from __future__ import annotations

import apsw
import asyncpg

from evenkeel.hotpath.ports.chat_log import ChatMessage
from evenkeel.hotpath.storage.addresses import sqlite_path
from tests.storages import Place


def said(number: int, size: int = 10) -> ChatMessage:
    return ChatMessage("s", "u", "user", f"text {number}", b"x" * size, key=f"k{number}")


async def execute(place: Place, *statements: str) -> None:
    """As somebody else would, past the storage."""
    if place.is_postgres:
        connection = await asyncpg.connect(place.dsn)
        try:
            for statement in statements:
                await connection.execute(statement)
        finally:
            await connection.close()
        return
    with apsw.Connection(str(sqlite_path(place.dsn))) as database:
        for statement in statements:
            database.execute(statement)
