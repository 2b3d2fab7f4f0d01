import httpx
from fastapi import FastAPI
from motor.motor_asyncio import AsyncIOMotorClient

app = FastAPI()
db = AsyncIOMotorClient("mongodb://localhost").app


@app.post("/answers/{key}")
async def answer(key: str, prompt: str) -> None:
    async with httpx.AsyncClient() as client, client.stream("POST", "https://model.example.org", json=prompt) as response:
        async for line in response.aiter_lines():
            await db.answers.update_one({"_id": key}, {"$push": {"lines": line}})  # flagged


@app.post("/answers/{key}/whole")
async def whole(key: str, prompt: str) -> None:
    lines: list[str] = []
    async with httpx.AsyncClient() as client, client.stream("POST", "https://model.example.org", json=prompt) as response:
        async for line in response.aiter_lines():
            lines.append(line)
    await db.answers.update_one({"_id": key}, {"$set": {"lines": lines}})
