import asyncio

import httpx
from fastapi import FastAPI

app = FastAPI()
lock = asyncio.Lock()
rates: dict[str, float] = {}


@app.get("/rates/{pair}")
async def rate(pair: str) -> float:
    await lock.acquire()  # flagged
    try:
        return await ask(pair)
    finally:
        lock.release()


@app.get("/kept/{pair}")
async def kept(pair: str) -> float:
    await lock.acquire()
    try:
        if pair not in rates:
            rates[pair] = await ask(pair)
        return rates[pair]
    finally:
        lock.release()


@app.get("/after/{pair}")
async def after(pair: str) -> float:
    found = await ask(pair)
    await lock.acquire()
    try:
        rates[pair] = found
    finally:
        lock.release()
    return found


async def ask(pair: str) -> float:
    async with httpx.AsyncClient() as client:
        return float((await client.get(f"https://rates.example.org/{pair}")).text)
