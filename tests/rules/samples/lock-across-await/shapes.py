import asyncio
import threading
import httpx
from fastapi import FastAPI, WebSocket

app = FastAPI()
lock = threading.Lock()
shared = asyncio.Lock()
send_lock = asyncio.Lock()
locks: dict[str, asyncio.Lock] = {}

class Cache:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.rows: dict[str, str] = {}

    async def refresh(self, source) -> None:
        with self._lock:  # flagged
            async for key, value in source:
                self.rows[key] = value

    async def read(self, key: str) -> str:
        with self._lock:
            return self.rows[key]

    def plain(self, key: str) -> str:
        with self._lock:
            return self.rows[key]

    async def closure(self) -> None:
        with self._lock:
            async def later() -> None:
                await asyncio.sleep(1)

            self.rows["later"] = later.__name__

    async def by_name(self, source, mutex) -> None:
        with source.lock:  # flagged
            await source.load()

cache = Cache()

@app.get("/ask")
async def ask(client: httpx.AsyncClient) -> str:
    async with shared:  # flagged
        return (await client.get("https://llm.example.org")).text

@app.get("/own/{name}")
async def own(name: str, client: httpx.AsyncClient) -> str:
    async with locks.setdefault(name, asyncio.Lock()):
        return (await client.get(f"https://example.org/{name}")).text

@app.websocket("/ws")
async def talk(socket: WebSocket, client: httpx.AsyncClient) -> None:
    async with send_lock:
        await socket.send_text("hello")
    async with shared:
        cache.rows["a"] = "b"
        await asyncio.sleep(0)
    async with asyncio.Semaphore(4):
        await client.get("https://example.org")
