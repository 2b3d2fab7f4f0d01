"""The flood of `login_flood.py`, a process of its own: `flooder.py URL LOGINS_A_SECOND ADDRESSES`.

Reads `on` and `off` from standard input; after each `off` says how often which status came.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time
from collections import Counter

import uvloop

LANES = 32  # connections
TICK_S = 0.01
IDLE_S = 2.0


async def flood(host: str, port: int, rate: float, addresses: int) -> None:
    """Until standard input ends."""
    wanted: asyncio.Queue[float] = asyncio.Queue(LANES)
    answers: Counter[str] = Counter()
    lanes = [asyncio.create_task(lane(host, port, n % addresses, wanted, answers)) for n in range(LANES)]
    on = asyncio.Event()
    pace = asyncio.create_task(paced(wanted, rate, on, answers))
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := (await reader.readline()).decode().strip():
        if line == "on":
            on.set()
            continue
        on.clear()
        print(json.dumps(answers), flush=True)
        answers.clear()
    for task in (*lanes, pace):
        task.cancel()


async def paced(wanted: asyncio.Queue[float], rate: float, on: asyncio.Event, answers: Counter[str]) -> None:
    while True:
        await on.wait()
        begun, asked = time.monotonic(), 0
        while on.is_set():
            due = int((time.monotonic() - begun) * rate)
            for _ in range(due - asked):
                try:
                    wanted.put_nowait(0.0)
                except asyncio.QueueFull:
                    answers["not sent: all lanes wait"] += 1
            asked = due
            await asyncio.sleep(TICK_S)


async def lane(host: str, port: int, place: int, wanted: asyncio.Queue[float], answers: Counter[str]) -> None:
    """One connection that is kept; from an address of its own where the flood comes from several."""
    source = (f"127.0.1.{place + 1}", 0) if place else None
    number = 0
    while True:
        reader, writer = await asyncio.open_connection(host, port, local_addr=source)
        used = time.monotonic()
        while True:
            await wanted.get()
            if time.monotonic() - used > IDLE_S:  # the server may be about to close it
                writer.close()
                reader, writer = await asyncio.open_connection(host, port, local_addr=source)
            used = time.monotonic()
            number += 1
            body = json.dumps({"username": f"nobody{place}_{number}", "password": "guess"}).encode()
            writer.write(
                b"POST /wunder/auth/login HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
                b"content-length: %d\r\n\r\n%b" % (len(body), body)
            )
            try:
                head = await reader.readuntil(b"\r\n\r\n")
                length = re.search(rb"content-length: (\d+)", head)
                await reader.readexactly(int(length[1]) if length else 0)
            except (asyncio.IncompleteReadError, ConnectionError):
                answers["cut"] += 1
                break
            answers[head.split(b" ", 2)[1].decode()] += 1


def main() -> None:
    url, rate, addresses = sys.argv[1:]
    host, port = url.removeprefix("http://").split(":")
    uvloop.run(flood(host, int(port), float(rate), int(addresses)))


if __name__ == "__main__":
    main()
