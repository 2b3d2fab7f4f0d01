"""Blocking IO on the event loop

A file, network, subprocess or synchronous database call runs inside `async def`, directly or through plain functions,
properties, constructors and context managers in any file. While it waits, the whole event loop waits: every other
request, stream and heartbeat of the process stands still.

**Why it costs.** One 50 ms read on the loop adds 50 ms to every request that is in flight; such stalls queue up behind
one another, which is what a bad P99 with idle CPUs usually is. asyncio's debug mode logs callbacks that take more than
100 ms for this reason (https://docs.python.org/3/library/asyncio-dev.html#running-blocking-code).

**Do instead.** Use the natively async client (httpx.AsyncClient, asyncpg, SQLAlchemy's AsyncSession,
`evenkeel.hotpath`'s storage), or move the whole unit of work off the loop in one hop with `asyncio.to_thread`
(https://docs.python.org/3/library/asyncio-task.html#asyncio.to_thread). A plain `def` endpoint of FastAPI already runs
in a thread pool (https://fastapi.tiangolo.com/async/).

**Leave it when** the code runs before the server accepts requests (then it is LOW), or the call cannot wait: a small
file that is read once, a path on tmpfs. Say so next to the call. Logging and `print` are not reported, and what a
memoised function does the first time is not held against its later callers.

A finding belongs to the async function nearest to the blocking call. Through a call that may reach several
implementations of which only some block, it is `likely`. Two kinds are listed as needing context: a helper that only
makes sure that a directory exists, and a file whose content is kept for an object, a key, or equal arguments.

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

```python flags
# file: app/repository.py
from sqlalchemy import select
from sqlalchemy.orm import Session
from app.models import Order

class Orders:
    def __init__(self, session: Session) -> None:
        self.session = session

    def open_orders(self) -> list[Order]:
        return self.session.scalars(select(Order).where(Order.open)).all()

    def close(self, order: Order) -> None:
        order.open = False
        self.session.commit()
# file: app/models.py
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

class Base(DeclarativeBase):
    pass

class Order(Base):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    open: Mapped[bool]
# file: app/main.py
from fastapi import Depends, FastAPI
from sqlalchemy.orm import Session
from app.database import get_session
from app.repository import Orders

app = FastAPI()

@app.post("/orders/close")
async def close_all(session: Session = Depends(get_session)) -> int:
    orders = Orders(session)
    found = orders.open_orders()  # flagged
    for order in found:
        orders.close(order)  # flagged
    return len(found)
# file: app/database.py
from collections.abc import Iterator
from sqlalchemy import create_engine
from sqlalchemy.orm import Session, sessionmaker

make_session = sessionmaker(create_engine("postgresql://localhost/app"))

def get_session() -> Iterator[Session]:
    with make_session() as session:
        yield session
```

```python flags
import subprocess
from pathlib import Path
from aiohttp import web

class Icons:
    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def count(self) -> int:
        return len(list(self.folder.iterdir()))

    @property
    def default(self) -> Path:
        return self.folder / "default.png"

    @default.setter
    def default(self, source: Path) -> None:
        source.rename(self.folder / "default.png")

class Api:
    def __init__(self) -> None:
        self.icons = Icons(Path("icons"))

    async def info(self, request: web.Request) -> web.Response:
        return web.json_response({"icons": self.icons.count})  # flagged

    async def icon(self, request: web.Request) -> web.Response:
        with Path(request.query["path"]).open("rb") as image:  # flagged
            return web.Response(body=image.read())  # flagged

    async def choose(self, request: web.Request) -> web.Response:
        self.icons.default = Path("new.png")  # flagged
        subprocess.run(["optipng", "icons/default.png"])  # flagged
        return web.Response()
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

```python passes
import asyncio
import functools
import json
from pathlib import Path
from fastapi import FastAPI
from fastapi.concurrency import run_in_threadpool

app = FastAPI()

@functools.cache
def settings() -> dict[str, str]:
    return json.loads(Path("settings.json").read_text())

class Store:
    def __init__(self, folder: Path) -> None:
        self.folder = folder

    async def _in_thread(self, function, *arguments):
        return await asyncio.get_running_loop().run_in_executor(None, function, *arguments)

    def _write(self, name: str, body: bytes) -> None:
        (self.folder / name).write_bytes(body)

    async def write(self, name: str, body: bytes) -> None:
        await self._in_thread(self._write, name, body)

    async def replace(self, name: str, body: bytes) -> None:
        def work() -> None:
            (self.folder / name).unlink(missing_ok=True)
            self._write(name, body)

        await asyncio.to_thread(work)
        await run_in_threadpool(lambda: (self.folder / name).chmod(0o600))

@app.get("/name")
async def name() -> str:
    return settings()["name"]
```
"""

from __future__ import annotations

from collections.abc import Iterator

from evenkeel.audit.model.context import ContextStore
from evenkeel.audit.model.effects import EffectKind
from evenkeel.audit.model.finding import Confidence, Finding, Severity
from evenkeel.audit.model.once import serves_nobody
from evenkeel.audit.model.rule import Rule
from evenkeel.audit.model.stalls import LIGHT, Stall, stall_severity, stalls, whereabouts
from evenkeel.audit.model.view import ModuleView

KINDS: tuple[EffectKind, ...] = (
    "file",
    "network",
    "subprocess",
    "db-read",
    "db-key-read",
    "db-write",
    "db-bulk",
    "db-flush",
    "db-refresh",
    "commit",
    "dequeue",
)

WAITS: tuple[EffectKind, ...] = ("lock",)  # those for the end of another thread: a join, a result, an event

RULE = Rule(title="Blocking IO on the event loop", severity="HIGH", needs=frozenset((*KINDS, *WAITS)))

WORDS = {
    "file": "file access",
    "network": "a network call",
    "subprocess": "a subprocess",
    "dequeue": "a queue",
    "lock": "another thread",
}
INSTEAD = {
    "file": "Read or write it in a worker thread (`await asyncio.to_thread(...)`), the whole unit of work in one hop.",
    "network": "Use the client's async version, or run the whole unit of work in a worker thread.",
    "subprocess": "Use `asyncio.create_subprocess_exec`, or run it in a worker thread.",
    "dequeue": "Use `asyncio.Queue`, or wait for the queue in a worker thread.",
    "lock": "Await it: `asyncio.to_thread(work)`, `loop.run_in_executor(pool, work)`, or `asyncio.wrap_future(future)`.",
}
NEAR = 2  # calls to a wait; further down it is what some service does when it starts or ends
DATABASE = "Use the async driver or session for this path, or run the whole unit of work in one worker-thread hop."


def check(module: ModuleView, context: ContextStore) -> Iterator[Finding]:
    """One finding for each line of an async function that blocks, at the call."""
    del context
    for function in module.functions_reaching(*RULE.needs):
        if serves_nobody(function.info):
            continue
        lines: set[int] = set()
        for stall in stalls(function, KINDS):
            lines.add(stall.call.line)
            yield _finding(stall)
        waits = next((each for each in stalls(function, WAITS) if _is_wait(each)), None)
        if waits is not None and waits.call.line not in lines:
            yield _finding(waits)  # the first: what is asked of the same threads after it is there already


def _is_wait(stall: Stall) -> bool:
    """Whether it waits for what another thread does; not for a lock that is held for a moment, not where the work was
    awaited (leaving a pool), not for what is asked first whether it is done."""
    call = stall.call
    if stall.reach.effect.detail != "wait" or call.link.implicit or len(stall.reach.path) > NEAR:
        return False
    asked = f"{call.holder}.done"
    return not any(each.fact.callee == asked for each in call.function.calls)


def _finding(stall: Stall) -> Finding:
    kind, entity = stall.reach.effect.kind, stall.reach.effect.detail.rpartition(".")[2]
    of = f" ({kind}{f' of `{entity}`' if entity else ''})"
    what = WORDS.get(kind, f"a synchronous database call{of}")
    return stall.call.finding(
        _severity(stall),
        f"{whereabouts(stall)} waits for {what} on the event loop; every other request and stream waits with it",
        INSTEAD.get(kind, DATABASE),
        effort="S" if stall.reach.direct else "M",
        confidence=_confidence(stall),
        path=stall.reach.path,
        settled_by=_unknown(stall),
    )


def _severity(stall: Stall) -> Severity:
    """What is done to a directory's entry alone costs microseconds, unless it lies far away."""
    severity = stall_severity(stall.call.function)
    return ("MEDIUM" if severity == "HIGH" else "LOW") if stall.reach.effect.detail in LIGHT else severity


def _confidence(stall: Stall) -> Confidence:
    if _unknown(stall):
        return "needs-context"
    return "definite" if stall.certain else "likely"


def _unknown(stall: Stall) -> str:
    """The fact that would settle whether it costs anything; "" when it does."""
    effect = stall.reach.effect
    if effect.detail == "directory" and not stall.reach.direct:
        return "whether the directory exists already when this runs"
    if effect.kind == "file" and stall.reach.kept:
        return "how often it is read anew: the result is kept for an object, a key, or equal arguments"
    return ""
