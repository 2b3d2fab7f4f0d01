"""One write per streamed event

A loop over a stream, the tokens of a model's answer or the events of a run, writes each bit to the database as it
comes; or a callback that passes one event on to a client stores it in the same step.

**Why it costs.** A model sends tens of tokens a second. Each write is a statement and mostly a commit, and a commit
waits for the disk (https://www.postgresql.org/docs/current/wal-async-commit.html): the stream runs at the pace of
the database, its clients see the stall, and a hundred streams are thousands of small transactions a second. An
UPDATE of a growing text writes the whole text again each time: the bytes written grow with the square of its
length, and every version is left for vacuum (https://www.postgresql.org/docs/current/routine-vacuuming.html).

**Do instead.** Serve those who listen from memory, gather events and write them in batches by size and by time,
flush once at the end. `evenkeel.hotpath.events` and `evenkeel.hotpath.writes` do that, with a barrier before a
terminal state.

**Leave it when** events are rare (steps of a run, a few a minute), or each must be durable before it is shown. A
write only after the loop, for the last event, or every so many is not reported.

```python flags
from collections.abc import AsyncIterator
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

class Base(DeclarativeBase): ...

class Event(Base):
    __tablename__ = "events"
    id: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str]

class Events:
    def __init__(self, session: AsyncSession) -> None:
        self.session = session

    async def append(self, text: str) -> None:
        self.session.add(Event(text=text))
        await self.session.commit()

async def relay(events: Events, answer: AsyncIterator[str]) -> AsyncIterator[str]:
    async for chunk in answer:
        await events.append(chunk)  # flagged
        yield chunk
```

```python flags
import asyncpg
from fastapi import WebSocket

async def on_event(socket: WebSocket, pool: asyncpg.Pool, event: dict) -> None:
    await pool.execute("INSERT INTO events (body) VALUES ($1)", event)  # flagged
    await socket.send_json(event)

async def growing(pool: asyncpg.Pool, message_id: int, stream) -> None:
    text = ""
    async for token in stream:
        text += token
        await pool.execute("UPDATE messages SET text = $1 WHERE id = $2", text, message_id)  # flagged
```

```python passes
from collections.abc import AsyncIterator
import asyncpg

async def relay(pool: asyncpg.Pool, answer: AsyncIterator[str]) -> AsyncIterator[str]:
    parts = []
    async for chunk in answer:
        parts.append(chunk)
        yield chunk
    await pool.execute("INSERT INTO messages (text) VALUES ($1)", "".join(parts))

async def batched(pool: asyncpg.Pool, answer: AsyncIterator[str]) -> AsyncIterator[str]:
    waiting = []
    async for chunk in answer:
        waiting.append((chunk,))
        if len(waiting) >= 100:
            await pool.executemany("INSERT INTO events (text) VALUES ($1)", waiting)
            waiting.clear()
        yield chunk

async def last(pool: asyncpg.Pool, answer) -> None:
    async for event in answer:
        if event.is_final:
            await pool.execute("INSERT INTO messages (text) VALUES ($1)", event.text)
```
"""

from __future__ import annotations

from collections.abc import Iterator

from evenkeel.audit.model.context import ContextStore
from evenkeel.audit.model.finding import Confidence, Finding, Severity
from evenkeel.audit.model.repeats import loop_text
from evenkeel.audit.model.rule import Rule
from evenkeel.audit.model.streams import EventWrite, event_writes
from evenkeel.audit.model.view import FunctionView, ModuleView

RULE = Rule(
    title="One write per streamed event",
    severity="HIGH",
    needs=frozenset({"db-write", "commit", "db-flush"}),
    facts=frozenset({"loops"}),
)
BATCH = "Serve listeners from memory and write events in batches, by size and by time, with one flush at the end."


def check(module: ModuleView, context: ContextStore) -> Iterator[Finding]:
    """One finding for each write that a stream multiplies."""
    del context
    for function in module.functions_reaching(*RULE.needs):
        places: set[tuple[int, int]] = set()
        for each in event_writes(function):
            place = (each.block.line, 0) if each.block is not None else (each.call.line, 1)
            if place not in places:
                places.add(place)
                yield _finding(function, each)


def _finding(function: FunctionView, each: EventWrite) -> Finding:
    entity = f"`{each.access.entity}`" if each.access.entity else "a row"
    each_time = f"every pass of `{loop_text(each.block)}`" if each.block is not None else "every event passed on"
    return each.call.finding(
        _severity(function),
        f"`{each.call.written}` writes {entity} in {each_time}",
        BATCH,
        effort="M",
        confidence=_confidence(each),
        path=each.access.reach.path,
        end_line=each.block.end_line if each.block is not None else 0,
    )


def _confidence(each: EventWrite) -> Confidence:
    return "definite" if each.certain and each.access.certain and each.access.reach.effect.certain else "likely"


def _severity(function: FunctionView) -> Severity:
    return "LOW" if function.role == "startup" else "HIGH"
