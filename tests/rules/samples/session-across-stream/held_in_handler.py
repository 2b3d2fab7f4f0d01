import asyncio

import asyncpg
import psycopg
from aiohttp import web
from fastapi import FastAPI, WebSocket
from litestar import websocket
from litestar.connection import WebSocket as LitestarSocket
from psycopg_pool import AsyncConnectionPool
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

app = FastAPI()
pool = AsyncConnectionPool("postgresql://localhost")


@app.websocket("/ws")
async def held(socket: WebSocket) -> None:
    await socket.accept()
    async with pool.connection() as connection:  # flagged
        while True:
            cursor = await connection.execute("SELECT value FROM readings ORDER BY at DESC LIMIT 1")
            await socket.send_json(await cursor.fetchone())
            await asyncio.sleep(1)


@app.websocket("/given-back")
async def given_back(socket: WebSocket) -> None:
    await socket.accept()
    while True:
        async with pool.connection() as connection:
            cursor = await connection.execute("SELECT value FROM readings ORDER BY at DESC LIMIT 1")
            row = await cursor.fetchone()
        await socket.send_json(row)
        await asyncio.sleep(1)


async def messages(request: web.Request, database: asyncpg.Pool) -> web.WebSocketResponse:
    socket = web.WebSocketResponse()
    await socket.prepare(request)
    async with database.acquire() as connection:
        await connection.fetch("SELECT 1")
    async for message in socket:
        await socket.send_str(message.data)
    return socket


@websocket("/titles")
async def titles(socket: LitestarSocket, db_session: AsyncSession) -> None:  # flagged
    await socket.accept()
    while True:
        message = await socket.receive_json()
        title = await db_session.scalar(text("SELECT title FROM projects WHERE id = :id"), {"id": message["id"]})
        await socket.send_json({"title": title})
