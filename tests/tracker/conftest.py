"""A task, a Linear on this machine, and a tracker that knows the way to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from evenkeel.audit.model.profile import Board
from evenkeel.audit.model.settings import TrackerSettings
from evenkeel.audit.tracker import Task
from evenkeel.audit.tracker.linear import LinearTracker
from evenkeel.audit.tracker.linear.record import Records
from evenkeel.audit.tracker.linear.transport import Api
from tests.cli.conftest import backend, environment, evenkeel
from tests.tracker.service import KEY, Workspace, filled, running

__all__ = ["backend", "environment", "evenkeel"]

BODY = "# Persistence & Performance Audit Report - 2026-02-04\n\nWhat was found.\n"
BOARD = Board(team_key="HRB", team_name="Harbour", epic="Epic 0: Common Tasks")

MakeTracker = Callable[..., LinearTracker]


@pytest.fixture
def task() -> Task:
    return Task("Persistence & Performance Audit: 2026-02-04", BODY, 2, "2026-02-04", tree="pier", board=BOARD)


@pytest.fixture
def linear() -> Workspace:
    return filled()


@pytest.fixture
def address(linear: Workspace) -> Iterator[str]:
    with running(linear) as found:
        yield found


@pytest.fixture
def pauses() -> list[float]:
    """How long the tracker has waited, in place of waiting."""
    return []


@pytest.fixture
def tracker(address: str, tmp_path: Path, pauses: list[float]) -> MakeTracker:
    """Trackers that share one state folder, as one user's runs do."""

    def make(
        show: Callable[[str], None] | None = None, timeout_s: float = 10.0, key: str = KEY, **settings: object
    ) -> LinearTracker:
        api = Api(key, address, timeout_s, pause=pauses.append, now=lambda: 1_000.0)
        return LinearTracker(api, Records(tmp_path / "state"), TrackerSettings(**settings), show)  # type: ignore[arg-type]

    return make
