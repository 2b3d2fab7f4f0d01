"""Calls during which the event loop stands still: one a line, at the async function nearest to them."""

from __future__ import annotations

from evenkeel.audit.model.stalls import stall_severity, stalls, whereabouts
from tests.audit_model_runtime.modules import function_of


def lines(source: str, name: str = "f", **others: str) -> list[int]:
    return [each.call.line for each in stalls(function_of(source, name, **others), ("file", "network", "dequeue"))]


def test_one_stall_a_line() -> None:
    source = """
import json
from pathlib import Path

async def f():
    with Path("a").open() as file: text = file.read()
    with open("b") as file:
        return json.load(file), text
"""
    assert lines(source) == [6, 7, 8]


def test_plain_functions_have_none() -> None:
    assert lines("def f():\n    open('a')\n") == []


def test_an_async_callee_answers_for_itself() -> None:
    source = """
async def g():
    open("a")

async def f():
    await g()
"""
    assert lines(source) == []
    assert lines(source, "g") == [3]


def test_what_threads_do_is_no_stall() -> None:
    source = """
import asyncio
import functools

class Store:
    async def run(self, function, *arguments):
        return await asyncio.get_running_loop().run_in_executor(None, functools.partial(function, *arguments))

    def read(self):
        return open("a").read()

    async def f(self):
        await self.run(self.read)
        await asyncio.to_thread(lambda: open("a"))
        def work():
            open("b")
        await asyncio.to_thread(work)
        work()
"""
    assert lines(source) == [18]


def test_a_queue_is_asked_not_to_wait() -> None:
    source = """
import queue

async def f(jobs: queue.Queue):
    jobs.get(block=False)
    jobs.get(timeout=0)
    jobs.get()
"""
    assert lines(source) == [7]


def test_what_is_awaited_gives_an_awaitable() -> None:
    source = """
import requests

def get():
    requests.get("a")

async def f():
    await requests.get("a")
    await get()
"""
    assert lines(source) == [9]


def test_the_first_time_does_not_count() -> None:
    source = """
_client = None

async def f():
    global _client
    if _client is None:
        _client = open("a")
    return _client
"""
    assert lines(source) == []


def test_a_generator_for_a_stream_runs_elsewhere() -> None:
    source = """
from starlette.responses import StreamingResponse

def rows():
    with open("a") as file:
        yield file.read()

async def f():
    return StreamingResponse(rows())

async def g():
    return list(rows())
"""
    assert lines(source) == []
    assert lines(source, "g") == [12]


def test_only_some_implementations_block() -> None:
    source = """
class Store:
    def save(self, text: str) -> None:
        raise NotImplementedError

class Memory(Store):
    def save(self, text: str) -> None:
        self.text = text

class Disk(Store):
    def save(self, text: str) -> None:
        open("a", "w").write(text)

async def f(store: Store):
    store.save("a")

async def g(store: Disk):
    store.save("a")
"""
    (partly,) = stalls(function_of(source), ("file",))
    (surely,) = stalls(function_of(source, "g"), ("file",))
    assert (partly.certain, surely.certain) == (False, True)


def test_where_it_stands_in_words() -> None:
    source = """
from pathlib import Path

class Icons:
    @property
    def count(self):
        return len(list(Path("a").iterdir()))

async def f(icons: Icons, folder: Path):
    icons.count
    (folder / "a").read_text()
"""
    read, direct = (whereabouts(each) for each in stalls(function_of(source), ("file",)))
    assert read == "In async `f`, reading `icons.count`, which leads to count (app.py:7),"
    assert direct == "In async `f`, `(folder / ...).read_text`"


def test_severity_by_role() -> None:
    source = """
from fastapi import FastAPI

app = FastAPI()

@app.get("/")
async def handle():
    pass

@app.on_event("startup")
async def start():
    pass

async def loose():
    pass
"""
    found = {name: stall_severity(function_of(source, name)) for name in ("handle", "start", "loose")}
    assert found == {"handle": "HIGH", "start": "LOW", "loose": "MEDIUM"}
