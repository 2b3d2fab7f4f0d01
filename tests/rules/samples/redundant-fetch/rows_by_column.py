import asyncpg
from fastapi import FastAPI

app = FastAPI()


async def load(connection: asyncpg.Connection, order_id: int) -> asyncpg.Record:
    return await connection.fetchrow("SELECT id, total FROM orders WHERE id = $1", order_id)


async def price(connection: asyncpg.Connection, order_id: int) -> int:
    order = await load(connection, order_id)
    return order["total"] * 100


async def price_of(order: asyncpg.Record) -> int:
    return order["total"] * 100


@app.get("/orders/{order_id}")
async def shown(order_id: int, connection: asyncpg.Connection) -> int:
    order = await load(connection, order_id)
    return await price(connection, order["id"])  # flagged


@app.get("/orders/{order_id}/other")
async def other(order_id: int, connection: asyncpg.Connection) -> int:
    order = await load(connection, order_id)
    return await price_of(order) + await price(connection, order["parent_id"])
