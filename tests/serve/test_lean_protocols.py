"""What a WebSocket holds while it waits, and its frames, as another implementation reads them."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode
from websockets.streams import StreamReader

from evenkeel.serve.lean_protocols import Gate, Inbox, framed


def read(raw: bytes) -> Frame:
    """As a client reads it: websockets' own parser."""
    reader = StreamReader()
    reader.feed_data(raw)
    parsing = Frame.parse(reader.read_exact, mask=False, max_size=1 << 20)
    try:
        next(parsing)
    except StopIteration as done:
        frame: Frame = done.value
        return frame
    raise AssertionError("more was expected")


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65_535, 65_536, 300_000])
def test_a_frame_is_what_the_standard_says(size: int) -> None:
    frame = read(framed(b"x" * size))
    assert (frame.opcode, frame.fin, bytes(frame.data)) == (Opcode.TEXT, True, b"x" * size)


@given(st.text())
def test_any_text_arrives(text: str) -> None:
    assert (
        bytes(read(framed(text.encode("utf-8", "replace"))).data).decode() == text.encode("utf-8", "replace").decode()
    )


async def test_messages_are_read_in_order_and_none_is_lost_to_a_cancel() -> None:
    inbox = Inbox()
    reading = asyncio.create_task(inbox.get())
    await asyncio.sleep(0)
    inbox.put_nowait({"type": "websocket.receive", "text": "1"})
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    inbox.put_nowait({"type": "websocket.receive", "text": "2"})
    assert [(await inbox.get()).get("text") for _ in "12"] == ["1", "2"]
    assert inbox.empty()


async def test_whoever_waits_at_a_gate_goes_on_when_it_opens() -> None:
    gate = Gate()
    await gate.wait()
    gate.clear()
    waiting = [asyncio.create_task(gate.wait()) for _ in range(3)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    gate.set()
    await asyncio.gather(*waiting[1:])
    assert waiting[0].cancelled()
