"""A session held for the whole of a stream

A session or connection is injected into an endpoint that streams (SSE, WebSocket, StreamingResponse, long poll), or is open
around the `yield` of what is streamed, or is given to a background task. It then lives as long as the client listens.

**Why it costs.** Every listening client holds one connection of the pool, idle, for minutes or hours. With SQLAlchemy's
default of 5 + 10 connections the sixteenth watcher stops the service for everybody. When FastAPI runs the exit code of a
`yield` dependency depends on its version: after the response before 0.106 and from 0.118 on, before it in between
(https://fastapi.tiangolo.com/release-notes/): the same code holds the session in one version and streams with a
closed one in the other.

**Do instead.** Take a session for each read and give it back before waiting: `async with sessions() as session:` around the
query alone. Serve live clients from memory (`evenkeel.hotpath.events`) and the database only after a reconnect. Give a
background task the session factory, not the session.


**Leave it when** the stream is a download that reads its rows from that very session and is bounded in time. An endpoint
that ends the transaction (`await session.commit()`) before it answers, with a stream that is not given the session, has
put the connection back: nothing is reported.

```python flags
import asyncio
from fastapi import Depends, FastAPI, WebSocket
from fastapi.responses import StreamingResponse
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy import text

sessions = async_sessionmaker(create_async_engine("postgresql+asyncpg://localhost/app"))
app = FastAPI()

async def get_session():
    async with sessions() as session:
        yield session

@app.websocket("/ws")
async def watch(socket: WebSocket, session: AsyncSession = Depends(get_session)) -> None:  # flagged
    await socket.accept()
    while True:
        rows = (await session.execute(text("SELECT state FROM jobs"))).all()
        await socket.send_json([row[0] for row in rows])
        await asyncio.sleep(1)

async def events(session: AsyncSession):
    while True:
        yield "data: x"
        await asyncio.sleep(1)

@app.get("/events")
async def stream(session: AsyncSession = Depends(get_session)) -> StreamingResponse:  # flagged
    return StreamingResponse(events(session), media_type="text/event-stream")
```

```python passes
import asyncio
from fastapi import FastAPI, WebSocket, Depends
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy import text

sessions = async_sessionmaker(create_async_engine("postgresql+asyncpg://localhost/app"))
app = FastAPI()

async def get_session():
    async with sessions() as session:
        yield session

@app.websocket("/ws")
async def watch(socket: WebSocket) -> None:
    await socket.accept()
    while True:
        async with sessions() as session:
            rows = (await session.execute(text("SELECT state FROM jobs"))).all()
        await socket.send_json([row[0] for row in rows])
        await asyncio.sleep(1)

@app.get("/jobs")
async def jobs(session: AsyncSession = Depends(get_session)) -> list[str]:
    return [row[0] for row in (await session.execute(text("SELECT state FROM jobs"))).all()]
```
"""

from __future__ import annotations

from collections.abc import Iterator

from packaging.version import InvalidVersion, Version

from evenkeel.audit.model.context import ContextStore
from evenkeel.audit.model.effects import EffectKind
from evenkeel.audit.model.facts import Block
from evenkeel.audit.model.finding import Confidence, Finding, Step
from evenkeel.audit.model.masks import SPAWNS, mask_of
from evenkeel.audit.model.regions import Region, ends_transaction, regions, touches_database
from evenkeel.audit.model.rule import Rule
from evenkeel.audit.model.shapes import YIELDS
from evenkeel.audit.model.view import CallView, FunctionView, ModuleView

RULE = Rule(
    title="A session held for the whole of a stream",
    severity="CRITICAL",
    needs=frozenset({"stream", "stream-response", "sleep", "spawn", "dequeue"}),
)

PAUSES: tuple[EffectKind, ...] = ("sleep", "dequeue", "network")
WAITS: tuple[EffectKind, ...] = ("stream", "sleep", "dequeue")
WAITING = mask_of(*WAITS)
INSTEAD = "Take a session around each query and give it back before waiting; serve live clients from memory."
WHERE = "Open the session around each query, not around the loop that yields."
HELD = frozenset({"session", "connection"})
EXITS_BEFORE_RESPONSE = (Version("0.106"), Version("0.118"))  # FastAPI: yield dependencies close before the response


def check(module: ModuleView, context: ContextStore) -> Iterator[Finding]:
    """Streaming endpoints with an injected session, streams with an open one, and sessions given to tasks."""
    for function in module.functions:
        stream = _streams(function)
        injected = _injected(function) if stream is not None else None
        if stream is not None and injected is not None and _is_held(function, injected, stream, context):
            yield _endpoint(function, injected, stream, context)
        elif stream is not None:
            yield from _held_open(function, stream)
        yield from _yielding(function)
        yield from _given_away(function)


def _streams(function: FunctionView) -> CallView | None:
    """The call that makes an endpoint a stream: a streamed response, a send to a socket in a loop, waiting in a loop."""
    if function.info.entry not in {"handler", "websocket"}:
        return None
    socket = function.info.entry == "websocket"
    if not socket and not function.looped_mask & WAITING and not function.does("stream-response"):
        return None
    for call in function.calls if socket else function.calls_reaching("stream-response", *WAITS):
        if call.has("stream-response"):
            return call
        in_loop = any(block.kind == "while" or block.is_async for block in call.loops)
        if in_loop and (socket or call.reaches(*WAITS)):
            return call
    return None


def _injected(function: FunctionView) -> CallView | None:
    found = function.calls_linked(lambda link: link.implicit == "inject" and function.role_of(link.result) in HELD)
    return next(iter(found), None)


def _held_open(function: FunctionView, stream: CallView) -> Iterator[Finding]:
    """A handler that streams inside a `with` over a session, or with a session that the framework gives it by its name."""
    for region in regions(function):
        if region.kind == "transaction" or not _is_database(function, region):
            continue
        if region.opened == "with" and _waits_in_loop(function, region):
            yield stream.finding(
                "CRITICAL",
                f"`{function.fact.name}` keeps a {region.kind} open while it streams; each client holds a connection",
                WHERE,
                line=region.line,
                end_line=region.end_line,
                path=(Step(function.module.path, region.line, function.name), stream.step),
            )
            return
        if region.opened == "passed" and not any(
            each.link.key == region.name for each in function.calls if each.link.implicit
        ):
            yield stream.finding(
                "CRITICAL",
                f"`{region.name}` is injected into `{function.fact.name}`, which streams: each client holds a connection "
                "of the pool for as long as it listens",
                INSTEAD,
                confidence="likely",
                line=function.fact.line,
                end_line=stream.fact.end_line,
                path=(Step(function.module.path, function.fact.line, function.name), stream.step),
            )
            return


def _waits_in_loop(function: FunctionView, region: Region) -> bool:
    """Whether the loop that serves the client stands inside the region, so that it is held between two messages."""
    return any(
        block.kind in {"while", "for"} and region.start < block.start and _serves(function, block)
        for block in function.fact.blocks
        if block.end <= region.end
    )


def _serves(function: FunctionView, block: Block) -> bool:
    """Whether each pass sends to the client, or waits for what it sends."""
    inside = [each for each in function.calls if block.start <= each.fact.position <= block.end]
    served = any(each.reaches("stream", "dequeue") for each in inside)
    return served or (block.kind == "while" and any(each.reaches("sleep") for each in inside))


def _is_held(function: FunctionView, injected: CallView, stream: CallView, context: ContextStore) -> bool:
    """Whether the framework's version keeps a `yield` dependency open while the response streams, and nothing has given
    its connection back before."""
    if function.info.entry == "websocket":
        return True
    if stream.has("stream-response") and _has_given_back(function, injected.link.key, stream):
        return False
    return _fastapi(context) is None or not _closes_before_response(context)


def _has_given_back(function: FunctionView, name: str, stream: CallView) -> bool:
    """Whether the session's last use before the stream ends its transaction (commit, rollback, close): its connection is
    in the pool again, and stays there unless the stream is given the session."""
    earlier = [each for each in function.calls if each.fact.position <= stream.fact.position and each.uses({name})]
    if not earlier or stream.uses({name}):
        return False
    last = earlier[-1]
    unconditional = not function.blocks_around(last.fact.block, "if", "else", "except", "case")
    return unconditional and last.holder == name and (ends_transaction(last) or last.has("close"))


def _fastapi(context: ContextStore) -> Version | None:
    found = context.profile.technology("fastapi")
    digits = (found.version if found else "").lstrip("=~^>v ").partition(",")[0]
    try:
        return Version(digits)
    except InvalidVersion:
        return None


def _closes_before_response(context: ContextStore) -> bool:
    version = _fastapi(context)
    first, end = EXITS_BEFORE_RESPONSE
    return version is not None and first <= version < end


def _endpoint(function: FunctionView, injected: CallView, stream: CallView, context: ContextStore) -> Finding:
    known = function.info.entry == "websocket" or _fastapi(context) is not None
    confidence: Confidence = "definite" if known else "likely"
    return injected.finding(
        "CRITICAL",
        f"`{injected.link.key}` is injected into `{function.fact.name}`, which streams: each client holds a connection "
        "of the pool for as long as it listens",
        INSTEAD,
        confidence=confidence,
        path=(injected.step, stream.step),
        end_line=stream.fact.end_line,
    )


def _yielding(function: FunctionView) -> Iterator[Finding]:
    """A generator that is streamed, with a session open around a `yield` in a loop."""
    if not function.shape & YIELDS or not _is_streamed(function) or not function.calls_reaching(*PAUSES):
        return
    for region in regions(function):
        if region.opened == "with" and _is_database(function, region) and _yields_in_loop(function, region):
            call = next(each for each in function.calls if each.fact.position > region.start - 1)
            yield call.finding(
                "CRITICAL",
                f"`{function.fact.name}` keeps a {region.kind} open while it streams; each client holds a connection",
                WHERE,
                line=region.line,
                end_line=region.end_line,
                path=(Step(function.module.path, region.line, function.name),),
            )
            return


def _is_database(function: FunctionView, region: Region) -> bool:
    """A session always; a connection only when statements are sent on it: subscriptions need one of their own."""
    return region.kind != "connection" or any(region.covers(each) and touches_database(each) for each in function.calls)


def _yields_in_loop(function: FunctionView, region: Region) -> bool:
    waits = [c for c in function.calls_reaching(*PAUSES) if region.covers(c) and c.loops and c.reaches(*PAUSES)]
    yields = [e for e in function.fact.exits if e.kind == "yield" and region.start < e.position <= region.end]
    return bool(waits) and bool(yields)


def _is_streamed(function: FunctionView) -> bool:
    return function.role in {"handler", "job"} or function.info.hot


def _given_away(function: FunctionView) -> Iterator[Finding]:
    """`background_tasks.add_task(send, session)`, `create_task(work(session))`."""
    if not any(function.role_of(type_) == "session" for _, type_ in function.linked.types):
        return
    for call in function.calls_fitting(SPAWNS, lambda link: link.mode == "spawn" and bool(link.runs)):
        given = next((each for each in call.fact.arguments if _is_session(function, each.value.text)), None)
        if given is not None:
            yield call.finding(
                "CRITICAL",
                f"`{given.value.text}` is given to `{call.runs[0].name.rpartition('.')[2]}`, which runs on its own: the "
                "session outlives its request or is used by two tasks at once",
                "Give the task the session factory and let it open its own session.",
                path=(call.step, Step(call.runs[0].file, call.runs[0].line, call.runs[0].name)),
            )


def _is_session(function: FunctionView, name: str) -> bool:
    return function.role_of(function.types.get(name, "")) == "session"
