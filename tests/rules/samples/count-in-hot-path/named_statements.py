from collections.abc import Callable, Mapping

import asyncpg
from fastapi import FastAPI, HTTPException

app = FastAPI()


class Access:
    """Statements stand in a file, under names: code says the name."""

    def __init__(self, pool: asyncpg.Pool, statements: Mapping[str, str]) -> None:
        self.pool = pool
        self.statements = statements

    async def run(self, work: Callable) -> list[asyncpg.Record]:
        async with self.pool.acquire() as connection:
            return await work(connection)

    async def rows(self, name: str, *values: object) -> list[asyncpg.Record]:
        return await self.run(lambda connection: self.on(connection, name, *values))

    async def on(self, connection: asyncpg.Connection, name: str, *values: object) -> list[asyncpg.Record]:
        return await connection.fetch(self.statements[name], *values)


access = Access(None, {})
SQL: dict[str, str] = {}


@app.post("/rooms/{room}")
async def enter(room: str, pool: asyncpg.Pool) -> None:
    used = (await access.rows("count_leases", room))[0][0]  # flagged
    if used >= 100:
        raise HTTPException(429)
    await access.rows("add_lease", room)


@app.post("/halls/{room}")
async def enter_hall(room: str, pool: asyncpg.Pool) -> None:
    row = await pool.fetchrow(SQL["count_leases"], room)  # flagged
    used = int(row[0]) if row else 0
    if used >= 100:
        raise HTTPException(429)


@app.get("/rooms/{room}")
async def leases(room: str) -> int:
    newest = (await access.rows("newest_lease", room))[0][0]
    return 0 if newest >= 100 else 1
# file: app/sql/leases.sql
-- What is known of leases.

-- name: count_leases
-- Those of one room.
SELECT count(*) FROM leases WHERE room = $1;

-- name: add_lease
INSERT INTO leases (room) VALUES ($1);

-- name: newest_lease
SELECT id FROM leases WHERE room = $1 ORDER BY id DESC LIMIT 1;
