import time

from fastapi import FastAPI
from motor.motor_asyncio import AsyncIOMotorClient

app = FastAPI()
db = AsyncIOMotorClient("mongodb://localhost").app


@app.post("/runs")
async def start(user_id: str) -> None:
    await db.runs.delete_many({"expires_at": {"$lt": time.time()}})  # flagged
    await db.runs.insert_one({"user": user_id})


@app.delete("/runs/{user_id}")
async def stop(user_id: str) -> None:
    await db.runs.delete_many({"user": user_id})
    await db.log.insert_one({"user": user_id})
