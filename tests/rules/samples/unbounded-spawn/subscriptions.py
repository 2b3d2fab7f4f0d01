import asyncio

import httpx
import redis.asyncio as redis
from fastapi import FastAPI

app = FastAPI()
client = redis.Redis()
slots = asyncio.Semaphore(8)


async def handle(message: dict) -> None:
    async with httpx.AsyncClient() as http:
        await http.post("https://hook.example.org", json=message)


async def handle_in_turn(message: dict) -> None:
    async with slots:
        await handle(message)


async def listen() -> None:
    async for message in client.pubsub().listen():
        asyncio.ensure_future(handle(message))  # flagged


async def listen_bounded() -> None:
    async for message in client.pubsub().listen():
        await slots.acquire()
        asyncio.ensure_future(handle_in_turn(message))


@app.on_event("startup")
async def start() -> None:
    asyncio.create_task(listen())
    asyncio.create_task(listen_bounded())
