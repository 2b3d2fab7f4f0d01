"""Synchronous sleep on the event loop

`time.sleep` runs inside `async def`, directly or through plain helpers in any file: a retry decorator's wait, a poll
for a file, a rate limit of a client that was written for threads. The loop does nothing else until it is over.

**Why it costs.** A sleep is a stall of known length: `time.sleep(1)` in one request adds up to a second to every other
request of the process. `asyncio.sleep` suspends the task alone
(https://docs.python.org/3/library/asyncio-task.html#asyncio.sleep).

**Do instead.** `await asyncio.sleep(...)`. Where the sleep sits in a helper that threads use too, give the helper an
async twin, or run the whole helper in a worker thread. Waiting for an event is better than sleeping at all:
`evenkeel.hotpath`'s limiter and cancellation wake their waiters.

**Leave it when** the code runs once, before the server accepts requests.

```python flags
import time
import requests
from fastapi import FastAPI

app = FastAPI()

def get_with_retry(url: str) -> requests.Response:
    for attempt in range(3):
        answer = requests.get(url)
        if answer.ok:
            break
        time.sleep(2 ** attempt)
    return answer

@app.get("/status")
async def status() -> int:
    return get_with_retry("https://example.org").status_code  # flagged

@app.post("/restart")
async def restart() -> None:
    time.sleep(5)  # flagged
```

```python flags
# file: app/limits.py
from time import monotonic, sleep

class Limit:
    def __init__(self, per_second: float) -> None:
        self.gap = 1 / per_second
        self.last = 0.0

    def wait(self) -> None:
        left = self.last + self.gap - monotonic()
        if left > 0:
            sleep(left)
        self.last = monotonic()
# file: app/consumer.py
import asyncio
import httpx
from app.limits import Limit

async def forward(queue: asyncio.Queue[str], client: httpx.AsyncClient) -> None:
    limit = Limit(per_second=5)
    while True:
        message = await queue.get()
        limit.wait()  # flagged
        await client.post("https://example.org", content=message)
```

```python passes
import asyncio
import time
import requests

def poll(url: str) -> str:
    while True:
        answer = requests.get(url)
        if answer.ok:
            return answer.text
        time.sleep(1)

async def status(url: str) -> str:
    await asyncio.sleep(0.1)
    return await asyncio.to_thread(poll, url)

def worker(url: str) -> None:
    time.sleep(1)
    poll(url)
```
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from evenkeel.audit.model.context import ContextStore
from evenkeel.audit.model.ends import calls_at
from evenkeel.audit.model.finding import Finding
from evenkeel.audit.model.once import serves_nobody
from evenkeel.audit.model.rule import Rule
from evenkeel.audit.model.stalls import Stall, stalls, whereabouts
from evenkeel.audit.model.view import ModuleView

RULE = Rule(title="Synchronous sleep on the event loop", severity="HIGH", needs=frozenset({"sleep"}))

ASYNC_SLEEP = "Use `await asyncio.sleep(...)`; if threads need the helper too, give it an async twin."
BRIEF = re.compile(r"0?\.0[0-4]\d*")  # under 50 ms
IN_THREAD = "Await an async version of the helper, or run the whole helper in a worker thread (`asyncio.to_thread`)."


def check(module: ModuleView, context: ContextStore) -> Iterator[Finding]:
    """One finding for each line of an async function on which the loop sleeps."""
    del context
    for function in module.functions_reaching(*RULE.needs):
        if serves_nobody(function.info):
            continue
        for stall in stalls(function, ("sleep",)):
            if not _is_brief_retry(stall):
                yield _finding(stall)


def _is_brief_retry(stall: Stall) -> bool:
    """Some milliseconds before another attempt, and only after an error: nobody will notice."""
    for call in calls_at(stall.call.function.module, stall.reach.path[-1]):
        pause = call.argument(0)
        if call.has("sleep") and pause is not None and BRIEF.fullmatch(pause.text):
            return bool(call.function.blocks_around(call.fact.block, "except"))
    return False


def _finding(stall: Stall) -> Finding:
    return stall.call.finding(
        "HIGH" if stall.call.function.role == "handler" else "MEDIUM",
        f"{whereabouts(stall)} sleeps on the event loop; nothing else in the process runs until it wakes",
        ASYNC_SLEEP if stall.reach.direct else IN_THREAD,
        effort="S" if stall.reach.direct else "M",
        confidence="definite" if stall.certain else "likely",
        path=stall.reach.path,
    )
