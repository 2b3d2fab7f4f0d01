"""A small agent backend that speaks the contract, and fails on purpose: what the instrument must catch.

Started like `evenkeel serve`. `FAULT` in the environment: leak, double, reorder, lose, poll, slow, and for tasks forget and
twice. Sessions and queued tasks live in memory; tasks also in a file, so that a killed server finds its own again.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import WSMsgType, web

FAULT = os.environ.get("FAULT", "")
LEAKED: list[bytearray] = []
BUSY = "busy"


@dataclass
class Session:
    name: str
    events: list[tuple[int, str, str]] = field(default_factory=list)  # id, kind, data
    news: asyncio.Condition = field(default_factory=asyncio.Condition)
    running: bool = False
    queue: list[str] = field(default_factory=list)
    messages: list[dict[str, str]] = field(default_factory=list)
    number: int = 0
    held: list[tuple[int, str, str]] = field(default_factory=list)


@dataclass
class Backend:
    model_url: str
    journal: Path | None
    client: aiohttp.ClientSession | None = None
    sessions: dict[str, Session] = field(default_factory=dict)
    work: set[asyncio.Task[None]] = field(default_factory=set)
    reads: int = 0
    published: int = 0

    def session(self, name: str) -> Session:
        return self.sessions.setdefault(name, Session(name))

    async def emit(self, session: Session, kind: str, inner: dict[str, Any]) -> None:
        session.number += 1
        data = json.dumps({"session_id": session.name, "timestamp": "", "data": inner}, separators=(",", ":"))
        event = (session.number, kind, data)
        if FAULT == "lose" and kind == "llm_output_delta" and session.number % 7 == 0:
            return
        if FAULT == "reorder" and kind == "llm_output_delta" and session.number % 7 == 0:
            session.held = [event]
            return
        session.events += [event, *session.held]
        session.held = []
        if FAULT == "double" and kind == "llm_output_delta" and session.number % 7 == 0:
            session.events.append(event)
        self.published += 1
        if FAULT == "leak":
            LEAKED.append(bytearray(b"x" * 100_000))
        async with session.news:
            session.news.notify_all()

    def note(self, **record: str) -> None:
        if self.journal:
            with self.journal.open("a") as file:
                file.write(json.dumps(record) + "\n")

    async def turn(self, session: Session, text: str) -> str:
        session.running = True
        try:
            return await self._turn(session, text)
        finally:
            session.running = False
            if session.queue:
                self.spawn(self.queued(session, session.queue.pop(0)))

    async def queued(self, session: Session, text: str) -> None:
        if FAULT == "forget" and "t3" in text:
            session.running = False
            return
        for _ in range(2 if FAULT == "twice" and "t3" in text else 1):
            await self.turn(session, text)

    def spawn(self, what: Any) -> None:
        task = asyncio.ensure_future(what)
        self.work.add(task)
        task.add_done_callback(self.work.discard)

    async def _turn(self, session: Session, text: str) -> str:
        assert self.client is not None
        if FAULT == "slow":
            await asyncio.sleep(0.02)
        await self.emit(session, "progress", {"stage": "start", "question": text})
        messages: list[dict[str, Any]] = [{"role": "user", "content": text}]
        answer = ""
        for _ in range(3):
            answer, tool = await self._model(session, messages)
            if not tool:
                break
            await self.emit(session, "tool_call", {"tool": "echo"})
            await self.emit(session, "tool_result", {"tool": "echo", "ok": True})
            messages.append({"role": "tool", "content": "done"})
        session.messages += [{"role": "user", "content": text}, {"role": "assistant", "content": answer}]
        self.note(session=session.name, question=text, answer=answer)
        await self.emit(session, "final", {"answer": answer})
        return answer

    async def _model(self, session: Session, messages: list[dict[str, Any]]) -> tuple[str, bool]:
        assert self.client is not None
        tools = [{"type": "function", "function": {"name": "echo"}}]
        body = {"model": "simulated", "stream": True, "messages": messages, "tools": tools}
        parts, tool = [], False
        async with self.client.post(f"{self.model_url}/chat/completions", json=body) as answer:
            async for line in answer.content:
                if not line.startswith(b"data: {"):
                    continue
                choices = json.loads(line[6:])["choices"]
                delta = choices[0]["delta"] if choices else {}
                tool = tool or "tool_calls" in delta
                if delta.get("content"):
                    parts.append(delta["content"])
                    await self.emit(session, "llm_output_delta", {"delta": delta["content"]})
        return "".join(parts), tool

    async def follow(self, session: Session, place: int, *, forever: bool) -> Any:
        """Events after a place in the list, as they come; ends with the turn unless told otherwise."""
        while True:
            while place < len(session.events):
                event = session.events[place]
                place += 1
                yield event
                if event[1] in {"final", "error"} and not forever:
                    return
            if FAULT == "poll":
                self.reads += 1
                await asyncio.sleep(0.05)
            else:
                async with session.news:
                    await session.news.wait_for(lambda: place < len(session.events))  # noqa: B023


def after(session: Session, cursor: int) -> int:
    return next((place for place, event in enumerate(session.events) if event[0] > cursor), len(session.events))


def routes(backend: Backend) -> web.Application:  # noqa: C901 - a list of small handlers
    async def ready(_: web.Request) -> web.Response:
        return web.json_response({"status": "ok", "switches": {}})

    async def metrics(_: web.Request) -> web.Response:
        lines = [
            "# TYPE evenkeel_events_reads_total counter",
            f'evenkeel_events_reads_total{{path="x",purpose="poll"}} {backend.reads}',
            "# TYPE evenkeel_events_published_total counter",
            f'evenkeel_events_published_total{{path="x"}} {backend.published}',
        ]
        return web.Response(text="\n".join(lines) + "\n")

    async def wunder(request: web.Request) -> web.StreamResponse:
        body = await request.json()
        session = backend.session(body["session_id"])
        answer = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await answer.prepare(request)
        place = len(session.events)
        backend.spawn(backend.turn(session, body["question"]))
        async for number, kind, data in backend.follow(session, place, forever=False):
            await answer.write(f"event: {kind}\ndata: {data}\nid: {number}\n\n".encode())
        return answer

    async def login(_: web.Request) -> web.Response:
        return web.json_response({"data": {"access_token": "token", "user": {}}})

    async def new_session(_: web.Request) -> web.Response:
        name = f"sess_{len(backend.sessions):012d}{os.getpid()}"
        backend.session(name)
        return web.json_response({"data": {"id": name}})

    async def read_session(request: web.Request) -> web.Response:
        session = backend.session(request.match_info["name"])
        return web.json_response({"data": {"id": session.name, "messages": session.messages}})

    async def post_message(request: web.Request) -> web.Response:
        session = backend.session(request.match_info["name"])
        text = (await request.json())["content"]
        if session.running or session.queue:
            session.queue.append(text)
            backend.note(session=session.name, queued=text)
            return web.json_response({"data": {"queued": True}}, status=202)
        return web.json_response({"data": {"answer": await backend.turn(session, text)}})

    async def cancel(_: web.Request) -> web.Response:
        return web.json_response({"data": {"cancelled": False}})

    async def chat(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.send_json({"type": "ready", "payload": {"connection_id": "ws"}})
        pumps: list[asyncio.Task[None]] = []

        async def pump(session: Session, place: int, name: str, *, forever: bool) -> None:
            async for number, kind, data in backend.follow(session, place, forever=forever):
                payload = {"event": kind, "id": str(number), "data": json.loads(data)}
                await socket.send_json(
                    {"type": "event", "request_id": name, "session_id": session.name, "payload": payload}
                )

        async for message in socket:
            if message.type != WSMsgType.TEXT:
                continue
            asked = json.loads(message.data)
            session, payload = backend.session(asked["session_id"]), asked["payload"]
            if asked["type"] == "start":
                pumps.append(
                    asyncio.ensure_future(pump(session, len(session.events), asked["request_id"], forever=False))
                )
                backend.spawn(backend.turn(session, payload["content"]))
            else:
                place = after(session, payload["after_event_id"])
                forever = asked["type"] == "watch"
                pumps.append(asyncio.ensure_future(pump(session, place, asked["request_id"], forever=forever)))
        for each in pumps:
            each.cancel()
        return socket

    application = web.Application()
    application.add_routes(
        [
            web.get("/health/ready", ready),
            web.get("/health", ready),
            web.get("/metrics", metrics),
            web.post("/wunder", wunder),
            web.post("/wunder/auth/register", login),
            web.post("/wunder/auth/login", login),
            web.post("/wunder/chat/sessions", new_session),
            web.get("/wunder/chat/sessions/{name}", read_session),
            web.post("/wunder/chat/sessions/{name}/messages", post_message),
            web.post("/wunder/chat/sessions/{name}/cancel", cancel),
            web.get("/wunder/chat/ws", chat),
        ]
    )
    return application


def recall(backend: Backend) -> None:
    """What a killed server left: finished turns, and tasks to be done again."""
    if not (backend.journal and backend.journal.exists()):
        return
    for line in backend.journal.read_text().splitlines():
        record = json.loads(line)
        session = backend.session(record["session"])
        if "queued" in record:
            session.queue.append(record["queued"])
        else:
            session.messages += [
                {"role": "user", "content": record["question"]},
                {"role": "assistant", "content": record["answer"]},
            ]
            if record["question"] in session.queue:
                session.queue.remove(record["question"])
    for session in backend.sessions.values():
        if session.queue:
            backend.spawn(backend.queued(session, session.queue.pop(0)))


async def main(options: argparse.Namespace) -> None:
    journal = Path(options.sqlite).with_suffix(".journal") if options.sqlite else None
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as client:
        backend = Backend(options.model_url, journal, client)
        runner = web.AppRunner(routes(backend), handler_cancellation=True)
        await runner.setup()
        await web.TCPSite(runner, options.host, options.port).start()
        recall(backend)
        ending = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ending.set)
        await ending.wait()
        os._exit(0)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--host")
    parser.add_argument("--port", type=int)
    parser.add_argument("--sqlite")
    parser.add_argument("--postgres")
    parser.add_argument("--profile")
    parser.add_argument("--model-url")
    time.sleep(0)
    asyncio.run(main(parser.parse_args()))
