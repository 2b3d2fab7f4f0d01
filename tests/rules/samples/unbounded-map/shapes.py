# file: app/state.py
import asyncio
from collections import deque

results: dict[str, str] = {}
recent: deque[str] = deque(maxlen=100)
totals: dict[str, int] = {"requests": 0}
by_language: dict[str, str] = {}
tasks: set[asyncio.Task[None]] = set()
# file: app/main.py
import asyncio
import functools
from fastapi import FastAPI, Request
from app import state
from app.state import results

app = FastAPI()

@functools.cache
def pattern(kind: str) -> str:
    return kind.upper()

@functools.cache
def parsed(query: str) -> str:  # flagged
    return query.upper()

class Limits:
    seen: dict[str, int] = {}

    def hit(self, address: str) -> int:
        self.seen[address] = self.seen.get(address, 0) + 1  # flagged
        return self.seen[address]

class Visits:
    def __init__(self) -> None:
        self.last: dict[str, str] = {}

    def visit(self, user: str) -> None:
        self.last[user] = "now"

async def work() -> None:
    await asyncio.sleep(1)

@app.get("/{query}")
async def search(query: str, language: str, request: Request) -> str:
    results[query] = parsed(query) + pattern("a")  # flagged
    state.recent.append(query)
    state.totals["requests"] += 1
    state.by_language[language] = query
    request.app.state.locks[query] = asyncio.Lock()  # flagged
    Limits().hit(request.client.host)
    Visits().visit(query)
    task = asyncio.create_task(work())
    state.tasks.add(task)
    task.add_done_callback(state.tasks.discard)
    return results[query]
