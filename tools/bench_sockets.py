"""What a WebSocket costs the server: memory of idle ones and of watchers, CPU of a message.

python tools/bench_sockets.py [--sockets 1000] [--watchers 500]

Starts `evenkeel serve` with the built-in model in a temporary folder, and prints what its process used. Wall-clock times say more
about the machine than about the server, so none are printed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import socket
import sys
import tempfile
from pathlib import Path

import httpx2
import psutil
from websockets.asyncio.client import ClientConnection, connect

AT_ONCE = 50


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


async def ready(http: httpx2.AsyncClient) -> None:
    """Wait for the server."""
    while True:
        try:
            if (await http.get("/health/ready")).status_code == 200:
                return
        except httpx2.TransportError:
            pass
        await asyncio.sleep(0.2)


async def opened(url: str, headers: dict[str, str], count: int) -> list[ClientConnection]:
    """Connections that have read their `ready`."""
    found: list[ClientConnection] = []
    while len(found) < count:
        connecting = (connect(url, additional_headers=headers, compression=None) for _ in range(AT_ONCE))
        found += await asyncio.gather(*connecting)
    for each in found:
        await each.recv()
    return found


async def until_final(connection: ClientConnection) -> int:
    """How many messages came up to the end of a run."""
    count = 0
    while True:
        count += 1
        if json.loads(await connection.recv())["payload"].get("event") == "final":
            return count


async def measure(http: httpx2.AsyncClient, server: psutil.Process, sockets: int, watchers: int) -> None:
    """Idle connections, then watchers, then one answer to all of them."""
    login = {"username": "bench", "password": "bench"}
    token = (await http.post("/wunder/auth/register", json=login)).json()["data"]["access_token"]
    http.headers["authorization"] = f"Bearer {token}"
    session_id = (await http.post("/wunder/chat/sessions", json={})).json()["data"]["id"]
    path = f"/wunder/chat/sessions/{session_id}/messages"
    await http.post(path, json={"content": "hello", "stream": False})
    url = str(http.base_url.join("/wunder/chat/ws")).replace("http", "ws", 1)
    before = server.memory_info().rss
    connections = await opened(url, {"authorization": http.headers["authorization"]}, sockets)
    idle = server.memory_info().rss
    print(f"{sockets} idle sockets: {(idle - before) / sockets / 1024:.1f} KiB each")
    watch = {"type": "watch", "request_id": "w", "session_id": session_id, "payload": {"after_event_id": 0}}
    for connection in connections[:watchers]:
        await connection.send(json.dumps(watch))
    await asyncio.sleep(2)
    print(f"{watchers} watchers: {(server.memory_info().rss - idle) / watchers / 1024:.1f} KiB more each")
    used = sum(server.cpu_times()[:2])
    asking = asyncio.get_running_loop().create_task(http.post(path, json={"content": "say 200 words", "stream": False}))
    counts = await asyncio.gather(*(until_final(connection) for connection in connections[:watchers]))
    await asking
    spent = sum(server.cpu_times()[:2]) - used
    print(
        f"{sum(counts)} messages to them: {spent:.2f} s CPU, {spent / sum(counts) * 1e6:.1f} us each, the run included"
    )
    for connection in connections:
        connection.transport.abort()


async def main() -> None:
    """Start, measure, stop."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sockets", type=int, default=1000)
    parser.add_argument("--watchers", type=int, default=500)
    arguments = parser.parse_args()
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="evenkeel-bench-") as folder:
        command = [sys.executable, "-m", "evenkeel", "serve", "--port", str(port)]
        environment = {**os.environ, "EVENKEEL_API_KEY": "bench", "EVENKEEL_OPERATIONS__LOG_LEVEL": "error"}
        process = await asyncio.create_subprocess_exec(*command, cwd=Path(folder), env=environment)
        try:
            async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=60) as http:
                await ready(http)
                await measure(http, psutil.Process(process.pid), arguments.sockets, arguments.watchers)
        finally:
            process.terminate()
            await process.wait()


if __name__ == "__main__":
    asyncio.run(main())
