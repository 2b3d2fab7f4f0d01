"""A model that costs nothing: speaks OpenAI's chat completions, streams at a drawn pace, and notes when it sent what.

Its own HTTP on a bare protocol, because 10,000 tokens a second must fit into a part of one core. It answers

    POST /v1/chat/completions   streamed or whole
    GET  /v1/models             one model
    GET  /prove/calls?after=N   what was served since: times on the monotonic clock
    POST /prove/release?gate=G  lets go of the answers that wait for gate G, and of later ones

Run as a process of its own: `python -m evenkeel.prove.load.simulator --port 0 --seed 7`; the first line it prints is its port.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec

from evenkeel.prove.load import chunks
from evenkeel.prove.load.script import Pace, Request, Script, script
from evenkeel.prove.load.wire import HttpProtocol, Incoming, Reply
from evenkeel.prove.measure.tokens import word

MAX_CALLS = 400_000  # about 100 MB; a soak fetches them as it goes
STALL_S = 60.0
REQUESTS = msgspec.json.Decoder(Request)


class Call(msgspec.Struct, array_like=True):
    """One request that was served. Seconds on the monotonic clock; `first` and `last` are 0 when nothing was sent."""

    turn: str
    call: int
    received: float
    first: float
    last: float
    words: int
    tool: str
    outcome: str  # "done", a fault, or "gone": the server hung up
    held: float = 0.0  # when a gate let it go
    ended: float = 0.0  # when this side was done with it, whatever the outcome


class Calls(msgspec.Struct):
    """An answer to `/prove/calls`."""

    calls: list[Call]
    next: int
    lags: list[float]
    cpu_s: float
    active: int
    waiting: int
    under_way: list[str] = []  # turns that are being answered now


@dataclass
class Model:
    """The state of the simulator."""

    pace: Pace
    seed: int
    clock: Callable[[], float] = time.monotonic
    calls: list[Call] = field(default_factory=list)
    forgotten: int = 0
    lags: deque[float] = field(default_factory=lambda: deque(maxlen=20_000))
    gates: dict[str, asyncio.Event] = field(default_factory=dict)  # as many as a load names
    active: Counter[str] = field(default_factory=Counter)  # answers under way, by turn
    waiting: int = 0
    unnamed: int = 0

    def note(self, call: Call) -> None:
        """Keep what was served; the oldest go when nobody fetches them."""
        self.calls.append(call)
        if len(self.calls) > MAX_CALLS:
            del self.calls[: MAX_CALLS // 10]
            self.forgotten += MAX_CALLS // 10

    def gate(self, name: str) -> asyncio.Event:
        """A gate by name; closed until released."""
        return self.gates.setdefault(name, asyncio.Event())

    def since(self, after: int) -> Calls:
        """What came after number `after`; lags start anew."""
        start = max(0, after - self.forgotten)
        calls, lags = self.calls[start : start + 20_000], list(self.lags)
        self.lags.clear()
        return Calls(
            calls,
            self.forgotten + start + len(calls),
            lags,
            time.process_time(),
            self.active.total(),
            self.waiting,
            list(self.active),
        )


def handler(model: Model) -> Callable[[Incoming], Any]:
    """What the HTTP protocol calls with each request."""

    async def handle(incoming: Incoming) -> None:
        path = incoming.path
        if path.endswith("/chat/completions"):
            await _complete(model, incoming)
        elif path.endswith("/models"):
            incoming.reply.whole(200, b'{"object":"list","data":[{"id":"simulated","object":"model"}]}')
        elif path == "/prove/calls":
            incoming.reply.whole(200, msgspec.json.encode(model.since(int(incoming.query.get("after", "0")))))
        elif path == "/prove/release":
            model.gate(incoming.query.get("gate", "")).set()
            incoming.reply.whole(200, b"{}")
        else:
            incoming.reply.whole(404, b'{"error":{"message":"no such path","type":"invalid_request_error"}}')

    return handle


async def _complete(model: Model, incoming: Incoming) -> None:
    received = model.clock()
    try:
        request = REQUESTS.decode(incoming.body)
    except msgspec.DecodeError as error:
        incoming.reply.whole(
            400, msgspec.json.encode({"error": {"message": str(error), "type": "invalid_request_error"}})
        )
        return
    model.unnamed += 1
    plan = script(request, model.pace, model.seed, f"unnamed-{model.unnamed}")
    call = Call(plan.turn, plan.call, received, 0.0, 0.0, 0, plan.tool, "done")
    model.active[plan.turn] += 1
    try:
        await _serve(model, plan, request, incoming.reply, call)
    except ConnectionError:
        call.outcome = "gone"
    finally:
        model.active[plan.turn] -= 1
        if not model.active[plan.turn]:
            del model.active[plan.turn]
        call.ended = model.clock()
        model.note(call)


async def _serve(model: Model, plan: Script, request: Request, reply: Reply, call: Call) -> None:
    if plan.hold and not model.gate(plan.hold).is_set():
        model.waiting += 1
        try:
            await reply.until(model.gate(plan.hold).wait())
        finally:
            model.waiting -= 1
        call.held = model.clock()
    if plan.fault in {"429", "500"}:
        call.outcome = plan.fault
        headers = ((b"retry-after", b"1"),) if plan.fault == "429" else ()
        reply.whole(int(plan.fault), b'{"error":{"message":"simulated","type":"server_error"}}', headers)
        call.last = model.clock()
        return
    await (_stream if request.stream else _whole)(model, plan, reply, call)


async def _whole(model: Model, plan: Script, reply: Reply, call: Call) -> None:
    await reply.until(asyncio.sleep(sum(plan.gaps)))
    text = "" if plan.tool else "".join(word(number, model.clock()) for number in range(len(plan.gaps)))
    message: dict[str, object] = {"role": "assistant", "content": text}
    if plan.tool:
        message |= (
            {"content": chunks.tool_text(plan)}
            if plan.as_text
            else {"content": None, "tool_calls": [chunks.tool_call(plan)]}
        )
    body = {
        "id": f"chatcmpl-{plan.turn}",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": "simulated",
        "choices": [{"index": 0, "message": message, "finish_reason": "tool_calls" if plan.tool else "stop"}],
        "usage": chunks.usage(plan),
    }
    reply.whole(200, msgspec.json.encode(body))
    call.first = call.last = model.clock()
    call.words = 0 if plan.tool else len(plan.gaps)


async def _stream(model: Model, plan: Script, reply: Reply, call: Call) -> None:
    loop = asyncio.get_running_loop()
    head, tail = chunks.chunk_ends(plan)
    reply.begin(200, b"text/event-stream")
    due = loop.time()
    pieces = chunks.pieces(plan)
    stop = len(plan.gaps) // 2 if plan.fault in {"stall", "cut"} else -1
    for number, gap in enumerate(plan.gaps):
        if number == stop:
            await _break(plan, reply, call)
            return
        due += gap
        if gap:
            await reply.until_time(due)
        late = loop.time() - due
        model.lags.append(late)
        if late > 0.25:  # a stall of this process does not come back as a burst
            due += late
        now = model.clock()
        reply.part(head + (pieces[number] if pieces else word(number, now).encode()) + tail)
        call.first = call.first or now
        call.last = now
        call.words += not pieces
    reply.part(chunks.last_chunks(plan))
    reply.end()
    call.last = model.clock()


async def _break(plan: Script, reply: Reply, call: Call) -> None:
    call.outcome = plan.fault
    if plan.fault == "stall":
        await reply.until(asyncio.sleep(STALL_S))
    reply.cut()


async def serve(model: Model, port: int) -> asyncio.Server:
    """Listen on 127.0.0.1; port 0 takes a free one."""
    loop = asyncio.get_running_loop()
    return await loop.create_server(lambda: HttpProtocol(handler(model)), "127.0.0.1", port, backlog=2048)


async def _main(port: int, model: Model) -> None:
    server = await serve(model, port)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    loop = asyncio.get_running_loop()
    await loop.run_in_executor(None, sys.stdin.read)  # ends when the parent does
    server.close()


def main() -> None:
    """Serve until standard input ends."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--pace", default="{}", help="JSON: fields of Pace")
    options = parser.parse_args()
    pace = replace(Pace(), **msgspec.json.decode(options.pace))
    model = Model(pace, options.seed)
    try:
        import uvloop  # noqa: PLC0415 - only where it is installed
    except ImportError:
        asyncio.run(_main(options.port, model))
    else:
        uvloop.run(_main(options.port, model))


if __name__ == "__main__":
    main()
