import functools

import aiohttp
import httpx
import redis
from fastapi import FastAPI
from openai import AsyncOpenAI
from pymongo import MongoClient
from redis import asyncio as aioredis

from app.connections import Connections, get_redis, shared_redis

app = FastAPI()
connections = Connections()
shared = aioredis.from_url("redis://localhost")


@app.get("/one/{key}")
async def one(key: str) -> str | None:
    client = aioredis.from_url("redis://localhost")  # flagged
    return await client.get(key)


@app.get("/helper/{key}")
async def helper(key: str) -> str | None:
    try:
        client = await get_redis()  # flagged
        return await client.get(key)
    except ConnectionError:
        return None


@app.get("/late/{key}")
async def late(key: str) -> str | None:
    client = await connections.open()  # flagged
    value = await client.get(key)
    await client.aclose()
    return value


@app.get("/page")
async def page(url: str) -> int:
    session = aiohttp.ClientSession()  # flagged
    response = await session.get(url)
    return response.status


@app.get("/document/{key}")
def document(key: str) -> object:
    client = MongoClient("mongodb://localhost")  # flagged
    return client.app.documents.find_one({"key": key})


@app.get("/closed/{key}")
async def closed(key: str) -> str | None:
    client = await get_redis()
    try:
        return await client.get(key)
    finally:
        await client.connection_pool.disconnect()


@app.get("/with/{key}")
async def managed(key: str) -> str | None:
    async with aioredis.from_url("redis://localhost") as client:
        return await client.get(key)


@app.get("/shared/{key}")
async def lasting(key: str) -> str | None:
    client = await shared_redis()
    return await client.get(key) or await connections.kept().get(key) or await shared.get(key)


@app.get("/cached/{key}")
def cached(key: str) -> object:
    return once().get(key)


@functools.cache
def once() -> redis.Redis:
    client = redis.Redis()
    client.ping()
    return client


@app.get("/model")
async def model(text: str) -> object:
    http = httpx.AsyncClient(verify=False)
    llm = AsyncOpenAI(http_client=http)
    async with llm:
        return await llm.chat.completions.create(model="small", messages=[{"role": "user", "content": text}])


# file: app/connections.py
from redis import asyncio as aioredis


async def get_redis() -> aioredis.Redis:
    client = aioredis.from_url("redis://localhost", decode_responses=True)
    await client.ping()
    return client


_client = None


async def shared_redis() -> aioredis.Redis:
    global _client
    if _client is None:
        _client = aioredis.from_url("redis://localhost")
    return _client


class Connections:
    def __init__(self) -> None:
        self._kept: aioredis.Redis | None = None

    async def open(self) -> aioredis.Redis:
        return await get_redis()

    def kept(self) -> aioredis.Redis:
        if self._kept is None:
            self._kept = aioredis.from_url("redis://localhost")
        return self._kept
