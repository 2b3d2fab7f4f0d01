import asyncpg
from aiohttp import web
from fastapi import FastAPI, Request

DB = web.AppKey("db", asyncpg.Pool)
routes = web.RouteTableDef()
service = FastAPI()


async def database(app: web.Application):
    async with asyncpg.create_pool("postgresql://localhost") as pool:
        app["pool"] = pool
        app[DB] = pool
        yield


@routes.get("/orders")
async def orders(request: web.Request) -> web.Response:
    found = []
    for row in await request.app["pool"].fetch("SELECT id, customer_id FROM orders LIMIT 100"):
        customer = await request.app["pool"].fetchrow("SELECT name FROM customers WHERE id = $1", row["customer_id"])  # flagged
        found.append(customer["name"])
    return web.json_response(found)


@routes.get("/typed")
async def typed(request: web.Request) -> web.Response:
    pool = request.app["pool"]
    ids = request.query.getall("id")
    return web.json_response([dict(await request.app[DB].fetchrow("SELECT 1 FROM orders WHERE id = $1", i)) for i in ids])  # flagged


@routes.get("/joined")
async def joined(request: web.Request) -> web.Response:
    async with request.app["pool"].acquire() as connection:
        rows = await connection.fetch("SELECT o.id, c.name FROM orders o JOIN customers c ON c.id = o.customer_id")
    return web.json_response([dict(each) for each in rows])


@service.on_event("startup")
async def start() -> None:
    service.state.pool = await asyncpg.create_pool("postgresql://localhost")


@service.get("/devices")
async def devices(request: Request) -> list[str]:
    found = []
    for row in await request.app.state.pool.fetch("SELECT id FROM devices"):
        found.append(await request.app.state.pool.fetchval("SELECT name FROM owners WHERE device = $1", row["id"]))  # flagged
    return found
