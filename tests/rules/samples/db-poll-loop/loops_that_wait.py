"""Loops with a query and a pause: which of them poll."""

import asyncio
import sqlite3
import time

import asyncpg


async def backlog(pool: asyncpg.Pool) -> None:
    while True:
        rows = await pool.fetch("SELECT id FROM jobs WHERE state = 'new' LIMIT 100")
        if not rows:
            break
        for row in rows:
            print(row)
        await asyncio.sleep(0.1)


async def lock(pool: asyncpg.Pool, name: str) -> None:
    while not await try_lock(pool, name):  # flagged
        await asyncio.sleep(0.05)


async def try_lock(pool: asyncpg.Pool, name: str) -> bool:
    done = await pool.execute("INSERT INTO locks (name) VALUES ($1) ON CONFLICT DO NOTHING", name)
    return done.endswith("1")


async def heartbeat(pool: asyncpg.Pool, name: str) -> None:
    while True:
        await pool.execute("UPDATE workers SET seen = now() WHERE name = $1", name)
        await asyncio.sleep(10)


async def polite(pool: asyncpg.Pool, users: list[int]) -> None:
    for user in users:
        print(await pool.fetchrow("SELECT * FROM users WHERE id = $1", user))
        await asyncio.sleep(0.01)


async def bounded(pool: asyncpg.Pool, job: int) -> bool:
    for _ in range(60):
        if await pool.fetchval("SELECT done FROM jobs WHERE id = $1", job):  # flagged
            return True
        await asyncio.sleep(1)
    return False


def wait_for_file(connection: sqlite3.Connection) -> None:
    for attempt in range(5):
        try:
            connection.execute("SELECT name FROM items").fetchone()
            return
        except sqlite3.OperationalError:
            time.sleep(attempt)
