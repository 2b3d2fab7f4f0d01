import asyncio

import redis.asyncio as redis
from fastapi import FastAPI

app = FastAPI()
store = redis.Redis()


@app.post("/locked/{name}")
async def locked(name: str) -> None:
    while not await store.set(f"lock:{name}", "1", nx=True, ex=30):  # flagged
        await asyncio.sleep(0.05)
    await store.delete(f"lock:{name}")


@app.post("/once/{name}")
async def once(name: str) -> bool:
    return bool(await store.set(f"seen:{name}", "1", nx=True, ex=30))


@app.post("/kept/{name}")
async def kept(name: str) -> None:
    while True:
        await store.set(f"alive:{name}", "1", ex=30)
        await asyncio.sleep(5)
