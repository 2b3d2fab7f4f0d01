import asyncio


class Locks:
    """A lock for each key is there to be shared: the table lasts as long as keys come, whoever keeps it."""

    def __init__(self) -> None:
        self._locks: dict[str, asyncio.Lock] = {}

    def of(self, key: str) -> asyncio.Lock:
        return self._locks.setdefault(key, asyncio.Lock())  # flagged


# file: app/tidy.py
import asyncio


class TidyLocks:
    def __init__(self) -> None:
        self._locks: dict[str, asyncio.Lock] = {}

    def of(self, key: str) -> asyncio.Lock:
        return self._locks.setdefault(key, asyncio.Lock())

    def forget(self, key: str) -> None:
        self._locks.pop(key, None)


class Numbers:
    """Of what is no lock, nothing says that an instance lasts."""

    def __init__(self) -> None:
        self._seen: dict[str, int] = {}

    def of(self, key: str) -> int:
        return self._seen.setdefault(key, len(self._seen))


# file: app/made_by_reading.py
import asyncio
from collections import defaultdict
from fastapi import FastAPI

app = FastAPI()
writing = defaultdict(asyncio.Lock)
reading = defaultdict(asyncio.Lock)
tidy = defaultdict(asyncio.Lock)
stages = defaultdict(asyncio.Lock)


@app.post("/documents/{document}")
async def write(document: str) -> None:
    async with writing[document]:  # flagged
        await asyncio.sleep(0)


@app.get("/documents/{document}")
async def read(document: str) -> None:
    lock = reading[document]  # flagged
    async with lock:
        await asyncio.sleep(0)


@app.put("/documents/{document}")
async def replace(document: str) -> None:
    async with tidy[document]:
        await asyncio.sleep(0)
    tidy.pop(document, None)


@app.delete("/documents")
async def clear() -> None:
    async with stages["clear"]:
        await asyncio.sleep(0)
