"""Coroutines as tests, and sessions of the instrument against the small fake server."""

from __future__ import annotations

import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from evenkeel.prove.evidence.record import Evidence
from evenkeel.prove.runner import Plan, Show, prove
from tests.storages import pytest_pyfunc_call

__all__ = ["pytest_pyfunc_call", "tried"]

FAKE = (sys.executable, str(Path(__file__).parent / "fake_server.py"))
TINY: dict[str, dict[str, float]] = {
    "S1": {"streams": 8, "turn_s": 1.8, "ramp_s": 0, "seconds": 2, "drain_s": 5},
    "S2": {"connections": 24, "streams": 4, "tokens": 12, "words_per_s": 20, "ramp_s": 0.4, "seconds": 2, "drain_s": 4},
    "S3": {"tasks": 12, "lanes": 3, "kill_every_s": 0, "ttft_ms": 20, "limit_s": 8, "settle_s": 2},
    "S4": {"rate": 12, "seconds": 6, "drain_s": 3},
}
Tried = Callable[..., Coroutine[Any, Any, Evidence]]


@pytest.fixture
def tried(tmp_path: Path) -> Tried:
    """Runs one scenario once per arm against the fake server with a fault."""

    async def run(key: str, fault: str = "", **changes: Any) -> Evidence:
        fields: dict[str, Any] = {"pairs": 1, "equals": 0, **changes}
        size = {**TINY[key], **fields.pop("size", {})}
        plan = Plan((key,), command=FAKE, size="quick", changes=size, settings=(("FAULT", fault),), **fields)
        return await prove(plan, fields.get("show", Show()), tmp_path)

    return run
