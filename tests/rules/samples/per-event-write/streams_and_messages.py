"""Bits of a stream, messages of users, rows of a query."""

from collections.abc import AsyncIterator

import asyncpg
from fastapi import WebSocket


async def chat(socket: WebSocket, pool: asyncpg.Pool) -> None:
    async for text in socket.iter_text():
        await pool.execute("INSERT INTO messages (text) VALUES ($1)", text)


async def answer(pool: asyncpg.Pool, stream: AsyncIterator[str]) -> AsyncIterator[str]:
    async for delta in stream:
        await pool.execute("INSERT INTO deltas (text) VALUES ($1)", delta)  # flagged
        yield delta


async def every_tenth(pool: asyncpg.Pool, stream: AsyncIterator[str]) -> None:
    async for number, chunk in enumerated(stream):
        if number % 10 == 0:
            await pool.execute("UPDATE runs SET text = $1", chunk)


async def enumerated(stream: AsyncIterator[str]) -> AsyncIterator[tuple[int, str]]:
    number = 0
    async for chunk in stream:
        yield number, chunk
        number += 1
