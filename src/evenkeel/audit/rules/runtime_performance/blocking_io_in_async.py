"""Blocking IO on the event loop

A file, network, subprocess or synchronous database call runs inside `async def`, directly or through plain functions in any
file. While it waits, the whole event loop waits: every other request, stream and heartbeat of the process stands still.

**Why it costs.** One 50 ms read on the loop adds 50 ms to every request that is in flight. Under load these stalls queue up
behind one another, which is what a bad P99 with idle CPUs usually is. asyncio's own debug mode logs callbacks over 100 ms
for this reason (https://docs.python.org/3/library/asyncio-dev.html).

**Do instead.** Use the natively async client (httpx.AsyncClient, asyncpg, SQLAlchemy's AsyncSession, aiofiles), or move the whole
unit of work off the loop once with `asyncio.to_thread` (https://docs.python.org/3/library/asyncio-task.html#asyncio.to_thread).

**Leave it when** the code runs before the server accepts requests, or the call cannot wait (a file on tmpfs that is known
to be small and is read once). Say so next to the call.

```python flags
import pathlib
import requests
from fastapi import FastAPI

app = FastAPI()

def fetch(url: str) -> str:
    return requests.get(url).text

@app.get("/report")
async def report() -> str:
    template = pathlib.Path("report.html").read_text()  # flagged
    return template + fetch("https://example.org")  # flagged
```

```python passes
import asyncio
import pathlib
import httpx
from fastapi import FastAPI

app = FastAPI()

@app.get("/report")
async def report(client: httpx.AsyncClient) -> str:
    template = await asyncio.to_thread(pathlib.Path("report.html").read_text)
    answer = await client.get("https://example.org")
    return template + answer.text

@app.get("/plain")
def plain() -> str:
    return pathlib.Path("report.html").read_text()
```
"""

from __future__ import annotations

from collections.abc import Iterator

from evenkeel.audit.model.context import ContextStore
from evenkeel.audit.model.effects import EffectKind
from evenkeel.audit.model.finding import Finding, Severity
from evenkeel.audit.model.rule import Rule
from evenkeel.audit.model.view import CallView, FunctionView, ModuleView, Reach

KINDS: tuple[EffectKind, ...] = (
    "file",
    "network",
    "subprocess",
    "db-read",
    "db-write",
    "commit",
    "db-flush",
    "db-refresh",
)

RULE = Rule(title="Blocking IO on the event loop", severity="HIGH", needs=frozenset(KINDS))

WORDS = {"file": "file access", "network": "a network call", "subprocess": "a subprocess"}
INSTEAD = {
    "file": "Read or write it in a worker thread (`await asyncio.to_thread(...)`), the whole unit of work in one hop.",
    "network": "Use the client's async version, or run the whole unit of work in a worker thread.",
    "subprocess": "Use `asyncio.create_subprocess_exec`, or run it in a worker thread.",
}
DATABASE = "Use the async driver or session for this path, or run the whole unit of work in one worker-thread hop."


def check(module: ModuleView, context: ContextStore) -> Iterator[Finding]:
    """One finding for each call of an async function that blocks, at the call."""
    del context
    for function in module.functions:
        if function.is_async:
            for call in function.calls:
                blocking = [reach for reach in call.reaches(*KINDS) if reach.effect.blocking and not reach.spawned]
                if blocking:
                    yield _finding(function, call, blocking[0])


def _finding(function: FunctionView, call: CallView, reach: Reach) -> Finding:
    kind = reach.effect.kind
    what = WORDS.get(kind, "a synchronous database call")
    place = f"`{call.fact.callee}`" if reach.direct else f"`{call.fact.callee}`, {len(reach.path) - 1} calls down,"
    return call.finding(
        _severity(function),
        f"{place} makes {what} on the event loop of async `{function.fact.name}`; every other request waits for it",
        INSTEAD.get(kind, DATABASE),
        effort="S" if reach.direct else "M",
        confidence="definite" if reach.effect.certain else "likely",
        path=reach.path,
    )


def _severity(function: FunctionView) -> Severity:
    by_role: dict[str, Severity] = {"handler": "HIGH", "startup": "LOW"}
    return by_role.get(function.role, "MEDIUM")
