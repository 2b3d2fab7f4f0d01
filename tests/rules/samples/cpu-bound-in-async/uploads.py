import asyncio
import json

from aiohttp import web
from fastapi import FastAPI, Request, UploadFile

app = FastAPI()


@app.post("/documents")
async def documents(file: UploadFile) -> int:
    content = await file.read()
    return len(json.loads(content))  # flagged


@app.post("/settings")
async def settings(request: Request) -> int:
    return len(json.loads(await request.body()))


@app.post("/documents/elsewhere")
async def elsewhere(file: UploadFile) -> int:
    return len(await asyncio.to_thread(json.loads, await file.read()))


async def part(request: web.Request) -> web.Response:
    reader = await request.multipart()
    first = await reader.next()
    return web.json_response(len(json.loads(await first.read())))  # flagged
