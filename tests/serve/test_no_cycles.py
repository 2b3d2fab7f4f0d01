"""What is left of connections and turns once they are over, while the collector of cycles does not look."""

from __future__ import annotations

import asyncio
import gc
from collections import Counter
from collections.abc import Iterator

import httpx2
import pytest

from tests.serve.servers import Running, running
from tests.serve.sockets import client
from tests.storages import Place

TIMES = 5
OURS = ("evenkeel.", "uvicorn.", "websockets.", "starlette.", "fastapi.", "asyncio.locks.", "httptools.", "contextlib.")


@pytest.fixture
def uncollected() -> Iterator[None]:
    gc.disable()
    yield
    gc.enable()


def cyclic() -> Counter[str]:
    """Objects of ours and of the server's that only the collector could free."""
    flags = gc.get_debug()
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        gc.collect()
        kinds = Counter(f"{type(each).__module__}.{type(each).__qualname__}" for each in gc.garbage)
    finally:
        gc.set_debug(flags)
        gc.garbage.clear()
    return Counter({name: count for name, count in kinds.items() if name.startswith(OURS)})


async def ask(here: Running, number: int) -> None:
    """A connection of its own, an answer streamed over it to its end."""
    async with httpx2.AsyncClient(base_url=here.url, timeout=15) as http:
        body = {"user_id": f"u{number}", "question": "hello", "stream": True}
        async with http.stream("POST", "/wunder", json=body, headers={"x-api-key": "the-servers-key"}) as answer:
            async for _ in answer.aiter_bytes():
                pass


async def watch(here: Running, headers: dict[str, str], session: str) -> None:
    """A WebSocket that watches, sees a turn of its own, and goes."""
    async with client(f"{here.ws_url}/wunder/chat/ws", headers) as mine:
        await mine.send("watch", session_id=session, request_id="w", payload={"after_event_id": 0})
        await mine.send("start", session_id=session, request_id="s", payload={"content": "hello"})
        ended: set[str] = set()
        while ended != {"s", "w"}:
            message = await mine.next()
            if message.get("payload", {}).get("event") == "final":
                ended.add(message["request_id"])


@pytest.mark.usefixtures("uncollected")
@pytest.mark.timeout(60)
async def test_nothing_of_a_connection_or_a_turn_waits_for_the_collector(place: Place) -> None:
    async with running(place) as here:
        headers = await here.user("ann")
        sessions = [await here.session(headers) for _ in range(TIMES)]
        await ask(here, 0)
        await watch(here, headers, sessions[0])
        await asyncio.sleep(0.3)
        gc.collect()
        for number in range(TIMES):
            await ask(here, number + 1)
            await watch(here, headers, sessions[number])
            async with httpx2.AsyncClient(base_url=here.url, timeout=15) as http:
                assert (await http.get("/wunder/chat/sessions", headers=headers)).status_code == 200
        await asyncio.sleep(0.3)
        left = cyclic()
    assert not {name: count for name, count in left.items() if count >= TIMES}
