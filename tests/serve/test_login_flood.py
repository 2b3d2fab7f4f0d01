"""Bad logins over the limit are refused before anything is parsed, looked up or hashed for them."""

from __future__ import annotations

import asyncio

import pytest

from evenkeel.kernel.metrics import Meters
from tests.queues import sample
from tests.serve.servers import running
from tests.storages import Place

ALLOWED, FLOOD = 5, 200


@pytest.mark.parametrize("path", ["login", "register"])
async def test_a_flood_is_refused_at_the_door(place: Place, path: str) -> None:
    async with running(place, passwords__per_address=ALLOWED, passwords__max_waiting=ALLOWED) as server:
        meters = server.server.parts.meters

        async def guess(number: int) -> int:
            body = {"username": f"nobody{number}", "password": "guess"}
            answer = await server.http.post(f"/wunder/auth/{path}", json=body)
            assert answer.status_code != 429 or int(answer.headers["retry-after"]) > 0
            return answer.status_code

        first = [await guess(number) for number in range(ALLOWED)]
        assert first == [401 if path == "login" else 200] * ALLOWED
        looked_up = _lookups(meters)
        assert looked_up >= ALLOWED
        hashed = sample(meters, "evenkeel_passwords_hash_seconds_count")
        refused = await asyncio.gather(*(guess(number) for number in range(FLOOD)))
        unreadable = await server.http.post(f"/wunder/auth/{path}", content=b"{")
        assert set(refused) == {unreadable.status_code} == {429}
        assert _lookups(meters) == looked_up
        assert sample(meters, "evenkeel_passwords_hash_seconds_count") == hashed
        assert sample(meters, "evenkeel_passwords_refused_total", why="limit") == FLOOD + 1
        assert (await server.http.get("/health/live")).status_code == 200


def _lookups(meters: Meters) -> float:
    """How often storage was asked for a user."""
    found = meters.registry.collect()
    return sum(
        each.value
        for family in found
        for each in family.samples
        if each.name == "evenkeel_storage_call_seconds_count" and "user" in each.labels["call"]
    )
