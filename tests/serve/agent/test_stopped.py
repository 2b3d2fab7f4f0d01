"""What is left of a run that was cancelled."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from evenkeel.serve.ports.requests import RunRequest
from evenkeel.serve.ports.runs import Queued
from tests.serve.agent.agents import Script, agent, kinds, until
from tests.storages import Place
from tests.streams import CANCELLED


async def test_what_was_shown_is_kept_also_where_the_stream_ends_before_the_run_hears(
    place: Place, tmp_path: Path
) -> None:
    """A cancel ends the stream first; where a run looks for cancels now and then, its next word is refused before."""
    go = asyncio.Event()
    script = Script([["shown ", go, "refused", asyncio.Event()]])
    async with agent(place, tmp_path, script) as mine:
        begun = await mine.ask("one")
        async for delivery in begun.subscription:
            if any(event.kind == "llm_output_delta" for event in getattr(delivery, "events", ())):
                break
        await begun.subscription.aclose()
        await mine.parts.writer.settle("s", CANCELLED)
        go.set()
        await asyncio.sleep(0.1)  # the run meets the refusal
        await mine.parts.cancellation.cancel("s")

        async def kept() -> bool:
            return len(await mine.rows()) == 2

        async with asyncio.timeout(5):
            await until(kept)
        first, second = await mine.rows()
        assert (first["role"], second["role"]) == ("user", "assistant")
        assert second["content"].startswith("shown")
        assert second["meta"]["stopped"] is True


async def test_a_queued_run_that_is_cancelled_before_its_first_word_says_so(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its stream is open by then: what is posted to an open stream waits for a writer, and here there is none."""
    script = Script([["x", asyncio.Event()]])
    async with agent(place, tmp_path, script) as mine:
        await mine.ask("first")
        await until(lambda: script.at == 1)
        opening = asyncio.Event()

        async def never(*_: object, **__: object) -> int:
            while (await mine.parts.storage.events.read_tail("s", limit=1)).open is False:  # noqa: ASYNC110
                await asyncio.sleep(0.001)
            opening.set()
            await asyncio.Event().wait()
            return 0

        queued = await mine.runs.submit(RunRequest("ann", "wait", session_id="s"))
        assert isinstance(queued, Queued)
        monkeypatch.setattr(type(mine.parts.storage.sessions), "next_round", never)
        script.says[0][1].set()  # type: ignore[attr-defined]
        await opening.wait()
        assert await mine.runs.cancel("s")

        async def said() -> bool:
            return [told.kind for told in await mine.stored()][-2:] == ["error", "queue_fail"]

        await until(said)
        assert kinds(await mine.stored()).count("error") == 1
