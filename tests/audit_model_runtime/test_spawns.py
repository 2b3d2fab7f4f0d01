"""Tasks, threads and awaitables for each element of a loop, and what bounds them."""

from __future__ import annotations

import pytest

from evenkeel.audit.model.spawns import is_bounded, source_of, spawns
from tests.audit_model_runtime.modules import function_of

HEADER = """
import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
import httpx

limit = asyncio.Semaphore(4)

async def work(client: httpx.AsyncClient, url: str) -> None:
    await client.get(url)

async def held(client: httpx.AsyncClient, url: str) -> None:
    async with limit:
        await work(client, url)

def plain(url: str) -> None:
    httpx.get(url)

async def f(client: httpx.AsyncClient, urls: list[str], queue: asyncio.Queue[str], pool: ThreadPoolExecutor, n: int):
"""

UNBOUNDED = {
    "task": "for url in urls:\n    asyncio.create_task(work(client, url))",
    "comprehension": "[asyncio.create_task(work(client, url)) for url in urls]",
    "gather": "await asyncio.gather(*[work(client, url) for url in urls])",
    "gather a generator": "await asyncio.gather(*(work(client, url) for url in urls))",
    "gather a variable": "jobs = [work(client, url) for url in urls]\nawait asyncio.gather(*jobs)",
    "gather appended": "jobs = []\nfor url in urls:\n    jobs.append(work(client, url))\nawait asyncio.gather(*jobs)",
    "thread": "for url in urls:\n    threading.Thread(target=plain, args=(url,)).start()",
    "queue": "while True:\n    url = await queue.get()\n    asyncio.create_task(work(client, url))",
}
BOUNDED = {
    "semaphore inside": "await asyncio.gather(*[held(client, url) for url in urls])",
    "semaphore before": "for url in urls:\n    await limit.acquire()\n    asyncio.create_task(work(client, url))",
    "workers": "for _ in range(n):\n    asyncio.create_task(work(client, 'a'))",
    "few": "await asyncio.gather(*[work(client, url) for url in ('a', 'b')])",
    "batches": (
        "for start in range(0, len(urls), 9):\n    batch = urls[start:start + 9]\n"
        "    await asyncio.gather(*[work(client, url) for url in batch])"
    ),
    "slice": "await asyncio.gather(*[work(client, url) for url in urls[:n]])",
    "counted": (
        "jobs = set()\nfor url in urls:\n    if len(jobs) >= 9:\n        await asyncio.wait(jobs)\n"
        "    jobs.add(asyncio.create_task(work(client, url)))"
    ),
}
NONE = {
    "pool": "for url in urls:\n    pool.submit(plain, url)",
    "two": "await asyncio.gather(work(client, 'a'), work(client, 'b'))",
    "awaited": "for url in urls:\n    await work(client, url)",
    "once": "for url in urls:\n    asyncio.create_task(work(client, url))\n    return",
}


def found(body: str) -> list[tuple[str, bool]]:
    indented = "".join(f"    {line}\n" for line in body.splitlines())
    return [(source_of(each), is_bounded(each)) for each in spawns(function_of(HEADER + indented))]


@pytest.mark.parametrize("body", UNBOUNDED.values(), ids=UNBOUNDED)
def test_unbounded(body: str) -> None:
    expected = "stream" if "queue.get" in body else "input"
    assert found(body) == [(expected, False)]


@pytest.mark.parametrize("body", BOUNDED.values(), ids=BOUNDED)
def test_bounded(body: str) -> None:
    assert [bounded for _, bounded in found(body)] == [True]


@pytest.mark.parametrize("body", NONE.values(), ids=NONE)
def test_no_spawn_for_each_element(body: str) -> None:
    assert found(body) == []


def test_an_attribute_says_nothing_of_its_size() -> None:
    source = """
import asyncio

class Hub:
    def __init__(self, urls):
        self.urls = urls

    async def get(self, url):
        await asyncio.sleep(1)

    async def f(self):
        await asyncio.gather(*[self.get(url) for url in self.urls])
"""
    assert [source_of(each) for each in spawns(function_of(source))] == ["unknown"]


def test_what_runs_for_each_element() -> None:
    body = "    for url in urls:\n        asyncio.create_task(work(client, url))\n"
    (spawn,) = spawns(function_of(HEADER + body))
    assert [each.name for each in spawn.works] == ["app.work"]
