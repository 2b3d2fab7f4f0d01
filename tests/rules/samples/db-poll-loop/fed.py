import asyncio

import asyncpg
from fastapi import FastAPI, WebSocket

app = FastAPI()
pool = asyncpg.Pool()


@app.websocket("/commands")
async def commands(socket: WebSocket) -> None:
    """Each pass waits for what the client sends."""
    await socket.accept()
    while True:
        name = await socket.receive_text()
        state = await pool.fetchval("SELECT state FROM jobs WHERE name = $1", name)
        await socket.send_text(state)
        await asyncio.sleep(1)


@app.websocket("/states")
async def states(socket: WebSocket) -> None:
    await socket.accept()
    while True:
        state = await pool.fetchval("SELECT state FROM jobs")  # flagged
        await socket.send_text(state)
        await asyncio.sleep(1)
