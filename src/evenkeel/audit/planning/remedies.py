"""What answers each rule, as data: stage, part and switch of the hot path, figures, scenarios, basis of the gain."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Literal

import msgspec

StageName = Literal["A", "B", "C", "D"]
ScenarioName = Literal["S1", "S2", "S3", "S4"]


class Remedy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The answer to one rule. `part` is a room of `evenkeel.hotpath`, `switch` the switch that turns it back; "" where
    there is none. `page` is the page whose figures the gain quotes word for word in `quotes`. A finding whose issue holds
    the words of `when` is answered by the entry `instead`."""

    stage: StageName
    figures: tuple[str, ...]
    scenarios: tuple[ScenarioName, ...]
    part: str = ""
    switch: str = ""
    page: str = ""
    quotes: tuple[str, ...] = ()
    when: str = ""
    instead: str = ""


UNKNOWN = Remedy("A", (), ())  # of a rule that the table does not have


@cache
def remedies() -> Mapping[str, Remedy]:
    """Every entry: one for each rule, and those that others name in `instead`."""
    return msgspec.toml.decode((Path(__file__).parent / "remedies.toml").read_bytes(), type=dict[str, Remedy])
