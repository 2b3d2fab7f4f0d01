import asyncio
import aiosmtplib
import httpx
from fastapi import WebSocket
from redis.asyncio import Redis

async def comprehension(client: httpx.AsyncClient, urls: list[str]) -> list[httpx.Response]:
    return [await client.get(url) for url in urls]  # flagged

async def mapped(client: httpx.AsyncClient, users: dict[str, str]) -> dict[str, str]:
    found = {}
    for name, url in users.items():
        answer = await asyncio.wait_for(client.get(url), timeout=5)  # flagged
        found[name] = answer.text
    return found

async def same_call(client: httpx.AsyncClient, times: list[int]) -> None:
    for _ in times:
        await client.get("https://example.org/tick")

async def broadcast(sockets: list[WebSocket], text: str) -> None:
    for socket in sockets:
        await socket.send_text(text)

async def one_socket(socket: WebSocket, texts: list[str]) -> None:
    for text in texts:
        await socket.send_text(text)

async def mails(smtp: aiosmtplib.SMTP, messages) -> None:
    for message in messages:
        await smtp.send_message(message)

async def piped(redis: Redis, keys: list[str]) -> list[bytes]:
    async with redis.pipeline() as pipe:
        for key in keys:
            pipe.get(key)
        return await pipe.execute()

async def retried(client: httpx.AsyncClient, url: str) -> httpx.Response | None:
    for attempt in range(5):
        answer = await client.get(f"{url}?attempt={attempt}")
        if answer.is_success:
            return answer
    return None

async def chained(client: httpx.AsyncClient, steps: list[str]) -> str:
    token = ""
    for step in steps:
        answer = await client.post(step, headers={"token": token})
        token = answer.text
    return token

async def batches(client: httpx.AsyncClient, rows: list[str]) -> None:
    for start in range(0, len(rows), 100):
        await client.post("https://example.org", json=rows[start : start + 100])

async def nested(client: httpx.AsyncClient, groups: dict[str, list[str]]) -> None:
    for group in groups.values():
        for url in group:
            await client.post(url)  # flagged

async def with_fallback(client: httpx.AsyncClient, urls: list[str]) -> list[str]:
    found = []
    for url in urls:
        try:
            answer = await client.get(url)  # flagged
        except httpx.HTTPError:
            continue
        found.append(answer.text)
    return found
