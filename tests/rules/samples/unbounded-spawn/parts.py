import asyncio

import httpx
from fastapi import FastAPI


app = FastAPI()
shared = asyncio.Semaphore(8)


async def fetch(client: httpx.AsyncClient, url: str) -> int:
    answer = await client.get(url)
    return answer.status_code


async def fetch_politely(client: httpx.AsyncClient, url: str) -> int:
    async with shared:
        return await fetch(client, url)


async def fetch_few(client: httpx.AsyncClient, urls: list[str]) -> list[int]:
    slots = asyncio.Semaphore(4)

    async def one(url: str) -> int:
        async with slots:
            return await fetch(client, url)

    return await asyncio.gather(*[one(each) for each in urls])


async def fetch_group(client: httpx.AsyncClient, urls: list[str]) -> list[int]:
    return await fetch_few(client, urls)


@app.post("/groups")
async def groups(lists: list[list[str]]) -> list[list[int]]:
    async with httpx.AsyncClient() as client:
        return await asyncio.gather(*[fetch_group(client, each) for each in lists])  # flagged


@app.post("/named")
async def named(urls: list[str]) -> list[int]:
    tasks = []
    async with httpx.AsyncClient() as client:
        for url in urls:
            task = fetch(client, url)  # flagged
            tasks.append(task)
        return await asyncio.gather(*tasks)


@app.post("/shared")
async def together(urls: list[str]) -> list[int]:
    async with httpx.AsyncClient() as client:
        return await asyncio.gather(*[fetch_politely(client, each) for each in urls])


@app.post("/awaited")
async def awaited(urls: list[str]) -> list[int]:
    found = []
    async with httpx.AsyncClient() as client:
        for url in urls:
            status = await fetch(client, url)
            found.append(status)
    return found
