"""A plain answer and a tool round, event by event, as the contract has them."""

from __future__ import annotations

from pathlib import Path

from tests.serve.agent.agents import Script, agent, kinds, one, text_of
from tests.storages import Place

PLAIN = [
    "progress(start)",
    "context_usage",
    "progress(llm_call)",
    "llm_request",
    "llm_output_delta",
    "llm_output",
    "token_usage",
    "round_usage",
    "final",
]
LIVE_ONLY = {"token_usage", "llm_stream_retry", "a2ui"}


def seen_by(place: Place, kinds: list[str]) -> list[str]:
    """On the rollback path a watcher polls the table: what is never stored, it never sees."""
    return kinds if place.profile == "optimised" else [kind for kind in kinds if kind not in LIVE_ONLY]


async def test_a_plain_answer(place: Place, tmp_path: Path) -> None:
    async with agent(place, tmp_path, Script([["Hello ", "Ann", "."]])) as one_agent:
        told = await one_agent.told("Who am I?")
        assert kinds(told) == seen_by(place, PLAIN)
        assert text_of(told) == "Hello Ann."
        assert [each.event_id for each in told] == sorted({each.event_id for each in told})
        assert kinds(await one_agent.stored()) == [kind for kind in PLAIN if kind not in LIVE_ONLY]
        final = one(told, "final")
        assert final["answer"] == "Hello Ann."
        assert final["stop_reason"] == "model_response"
