# file: app/stores.py
import asyncio
import sqlite3
import redis

class Notes:
    def __init__(self, path: str, cache: redis.Redis) -> None:
        self.path = path
        self.cache = cache

    def _one(self, note_id: int) -> str:
        with sqlite3.connect(self.path) as connection:
            return connection.execute("SELECT text FROM notes WHERE id = ?", (note_id,)).fetchone()[0]

    def _write(self, note_id: int, text: str) -> None:
        with sqlite3.connect(self.path) as connection:
            connection.execute("UPDATE notes SET text = ? WHERE id = ?", (text, note_id))

    async def read(self, note_id: int) -> str:
        return await asyncio.to_thread(self._one, note_id)

    async def append(self, note_id: int, more: str) -> None:
        text = await asyncio.to_thread(self._one, note_id)  # flagged
        await asyncio.to_thread(self._write, note_id, text + more)  # flagged

    async def read_all(self, note_ids: list[int]) -> list[str]:
        return [await asyncio.to_thread(self._one, note_id) for note_id in note_ids]  # flagged

    async def unit(self, note_id: int, more: str) -> None:
        def work() -> None:
            self._write(note_id, self._one(note_id) + more)

        await asyncio.to_thread(work)
# file: app/main.py
import asyncio
from fastapi import FastAPI
import redis

app = FastAPI()
client = redis.Redis()

@app.get("/{name}")
async def cached(name: str) -> str:
    return await asyncio.to_thread(client.get, name)  # flagged
# file: requirements.txt
aiosqlite==0.20.0
