"""Sessions that are opened and closed leave nothing behind: objects are counted, not time. `make census` does a million."""

from __future__ import annotations

import pytest

from tests.sessions import census, parts, sessions
from tests.storages import Place

KEPT, MANY = 40, 400


@pytest.mark.timeout(90)
async def test_sessions_opened_and_closed_leave_no_growth(database: Place) -> None:
    """After every cap is reached, twice as many sessions more change no count."""
    async with parts(database, rings=KEPT, capacity=KEPT) as here:
        await sessions(here, 0, MANY // 2, at_once=20)
        before = await census(here)
        await sessions(here, MANY, MANY, at_once=20)
        grown = (await census(here)).minus(before)
    assert (grown.tasks, grown.threads, grown.entries) == (0, 0, 0)
    assert grown.descriptors <= 4  # a pool may have opened another connection
    assert (
        grown.objects < MANY // 2
    )  # one object left per session would be twice as many; noise is up to 150 either way


@pytest.mark.timeout(90)
async def test_the_count_would_notice_what_is_left_behind(database: Place) -> None:
    left: list[list[str]] = []
    async with parts(database, rings=KEPT, capacity=KEPT) as here:
        before = await census(here)
        await sessions(here, 0, 20, at_once=20)
        left += [[f"session-{number}"] for number in range(MANY)]
        assert (await census(here)).minus(before).objects >= MANY
