"""The plan's texts in one language: rule by rule, and of figures and scenarios."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import msgspec


class RuleTexts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the plan says of one rule, in whole sentences; `title` is the fault in a few words.

    `accept` is "" where no scenario shows it, `risk` where it is an ordinary change."""

    title: str
    problem: str
    measure: str
    gain: str
    accept: str
    risk: str


class ScenarioTexts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A scenario: its load, with `{entries}` for the places it goes to, and what must hold."""

    load: str
    hold: str


class PlanTexts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All texts of one language."""

    rules: dict[str, RuleTexts]
    figures: dict[str, str]
    scenarios: dict[str, ScenarioTexts]


@cache
def texts(language: str) -> PlanTexts:
    """The texts of a language that evenkeel speaks."""
    return msgspec.toml.decode((Path(__file__).parent / f"{language}.toml").read_bytes(), type=PlanTexts)
