"""One file a scenario: what is done, which figures it gives, what must hold. `SCENARIOS` lists them in order.

A scenario runs one arm once on a stage that the runner has set: a recipe for servers, a fresh database, the simulated
model, a size and a seed. It answers an `Observation` and judges nothing.
"""

from __future__ import annotations

from evenkeel.prove.scenarios import queue, soak, sockets, streams
from evenkeel.prove.scenarios.parts import KEY as PARTS
from evenkeel.prove.scenarios.parts import parts_scenario
from evenkeel.prove.scenarios.scenario import Scenario

__all__ = ["PARTS", "SCENARIOS", "scenario"]

SCENARIOS: tuple[Scenario, ...] = (streams.SCENARIO, sockets.SCENARIO, queue.SCENARIO, soak.SCENARIO)


def scenario(key: str, database: str) -> Scenario:
    """By its key, e.g. S1, or `parts`. KeyError when there is none."""
    return parts_scenario(database) if key == PARTS else {each.key: each for each in SCENARIOS}[key]
