"""What is left of a run that was cancelled."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tests.serve.agent.agents import Script, agent, until
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
