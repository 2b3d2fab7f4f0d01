import asyncio
import anyio
import httpx
from fastapi import BackgroundTasks, FastAPI, WebSocket
from pydantic import BaseModel

app = FastAPI()
limit = asyncio.Semaphore(10)

class Batch(BaseModel):
    urls: list[str]

async def fetch(client: httpx.AsyncClient, url: str) -> str:
    return (await client.get(url)).text

async def careful(client: httpx.AsyncClient, url: str) -> str:
    async with limit:
        return await fetch(client, url)

def spawn(coroutine):
    return asyncio.create_task(coroutine)

@app.post("/batch")
async def batch(body: Batch, client: httpx.AsyncClient) -> list[str]:
    return await asyncio.gather(*(fetch(client, url) for url in body.urls))  # flagged

@app.post("/careful")
async def bounded(body: Batch, client: httpx.AsyncClient) -> list[str]:
    return await asyncio.gather(*(careful(client, url) for url in body.urls))

@app.post("/own")
async def own_wrapper(body: Batch, client: httpx.AsyncClient) -> None:
    for url in body.urls:
        spawn(fetch(client, url))  # flagged

@app.post("/later")
async def later(body: Batch, client: httpx.AsyncClient, tasks: BackgroundTasks) -> None:
    for url in body.urls:
        tasks.add_task(fetch, client, url)

@app.websocket("/ws")
async def talk(socket: WebSocket, client: httpx.AsyncClient) -> None:
    async for url in socket.iter_text():
        asyncio.create_task(fetch(client, url))  # flagged

async def computed(numbers: list[int]) -> list[int]:
    async def double(number: int) -> int:
        return number * 2

    return await asyncio.gather(*[double(number) for number in numbers])

async def named(client: httpx.AsyncClient) -> None:
    names = ["a", "b", "c"]
    await asyncio.gather(*[fetch(client, f"https://{name}.example") for name in names])

async def with_group(client: httpx.AsyncClient, urls: list[str]) -> None:
    async with anyio.create_task_group() as group:
        for url in urls:
            group.start_soon(fetch, client, url)  # flagged


import asyncio as aio

import httpx as client_library


async def visit(client: client_library.AsyncClient, url: str) -> str:
    return (await client.get(url)).text


def one_after_another(client: client_library.AsyncClient, urls: list[str], loop: aio.AbstractEventLoop) -> list[str]:
    found = []
    for url in urls:
        future = aio.run_coroutine_threadsafe(visit(client, url), loop)
        found.append(future.result())
    return found


async def waits_when_full(client: httpx.AsyncClient, queue: asyncio.Queue[str]) -> None:
    pending: set[asyncio.Task[str]] = set()
    while True:
        url = await queue.get()
        if url.startswith("https"):
            if len(pending) >= 5:
                _, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
            pending.add(asyncio.ensure_future(fetch(client, url)))


async def counts_only(client: httpx.AsyncClient, queue: asyncio.Queue[str]) -> None:
    pending: set[asyncio.Task[str]] = set()
    while True:
        url = await queue.get()
        if url.startswith("https"):
            if len(pending) >= 5:
                print("many")
            pending.add(asyncio.ensure_future(fetch(client, url)))  # flagged
