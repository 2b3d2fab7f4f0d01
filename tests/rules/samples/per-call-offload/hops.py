import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

import asyncpg
from fastapi import FastAPI

app = FastAPI()


class Runner(Protocol):
    async def run(self, operation: Callable[[asyncpg.Connection], Awaitable[object]]) -> object: ...


class Hop:
    """A thread for each call, and in it a loop of its own around a driver that is natively async."""

    def __init__(self, threads: ThreadPoolExecutor) -> None:
        self.threads = threads

    async def run(self, operation: Callable[[asyncpg.Connection], Awaitable[object]]) -> object:
        return await asyncio.get_running_loop().run_in_executor(self.threads, self._call, operation)  # flagged

    def _call(self, operation: Callable[[asyncpg.Connection], Awaitable[object]]) -> object:
        loop = asyncio.new_event_loop()
        connection = loop.run_until_complete(asyncpg.connect("postgresql://localhost/app"))
        return loop.run_until_complete(operation(connection))


class Native:
    async def run(self, operation: Callable[[asyncpg.Connection], Awaitable[object]]) -> object:
        return await operation(await asyncpg.connect("postgresql://localhost/app"))


class Notes:
    """The hop is that of one runner: it is told there, not for each of its callers."""

    def __init__(self, runner: Runner) -> None:
        self.runner = runner

    async def all(self) -> object:
        return await self.runner.run(lambda connection: connection.fetch("SELECT * FROM notes"))


notes = Notes(Hop(ThreadPoolExecutor(4)))


@app.get("/notes")
async def show() -> object:
    return await notes.all()


def _once(path: str, work: Callable[[sqlite3.Connection], object]) -> object:
    connection = sqlite3.connect(path)
    try:
        return work(connection)
    finally:
        connection.close()


@app.get("/files/{path}")
async def stored(path: str) -> object:
    return await asyncio.to_thread(_once, path, lambda connection: connection.execute("SELECT 1 FROM files"))  # flagged
