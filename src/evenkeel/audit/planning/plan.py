"""The plan: bottlenecks by urgency, stages, figures, scenarios, and what to do this week."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Literal

import msgspec

from evenkeel.audit.model.finding import Effort, Finding, Step
from evenkeel.audit.model.result import AuditResult, worst_varied
from evenkeel.audit.planning.bottlenecks import Bottleneck, bottlenecks, entry_points
from evenkeel.audit.planning.remedies import ScenarioName, StageName

Risk = Literal["low", "medium", "high"]
HOURS: Mapping[Effort, tuple[float, float]] = {"S": (0.0, 1.0), "M": (1.0, 4.0), "L": (4.0, 16.0)}  # least and most
HOURS_A_DAY = 8
STAGES: tuple[tuple[StageName, Risk, tuple[int, int]], ...] = (  # name, risk, days that it takes at least, from and to
    ("A", "low", (1, 3)),
    ("B", "medium", (3, 7)),
    ("C", "high", (7, 14)),
)
SCENARIOS: tuple[ScenarioName, ...] = ("S1", "S2", "S3", "S4")
FLOORS: Mapping[ScenarioName, frozenset[str]] = {  # scenarios whose own floor only these can move
    "S2": frozenset({"db-poll-loop"}),
    "S3": frozenset({"unclaimed-queue-read"}),
}
THIS_WEEK = 7  # findings on the list of the week
ENTRIES = 4  # entry points that a scenario names


class Stage(msgspec.Struct, frozen=True, gc=False):
    """What is done together. `days`: from and to; `efforts`: how many findings of each effort are mended in it."""

    name: StageName
    risk: Risk
    days: tuple[int, int]
    bottlenecks: tuple[Bottleneck, ...]
    efforts: tuple[tuple[Effort, int], ...]


class Scenario(msgspec.Struct, frozen=True, gc=False):
    """A load test that what was found asks for: where the load goes, and which bottlenecks it must show gone."""

    name: ScenarioName
    entries: tuple[Step, ...]  # () when nothing of it is on a hot path
    bottlenecks: tuple[Bottleneck, ...]
    floor: bool = True  # whether what was found can move what the scenario itself asks for


class Plan(msgspec.Struct, frozen=True, gc=False):
    """Everything the document says but its words. Empty parts have no section."""

    bottlenecks: tuple[Bottleneck, ...] = ()
    stages: tuple[Stage, ...] = ()  # A to C, as far as something was found for them; D is proving
    figures: tuple[tuple[str, tuple[Step, ...]], ...] = ()  # figure, the entry points it is to be taken at
    scenarios: tuple[Scenario, ...] = ()
    this_week: tuple[Finding, ...] = ()

    def of(self, priority: str) -> tuple[Bottleneck, ...]:
        """The bottlenecks of one priority."""
        return tuple(each for each in self.bottlenecks if each.priority == priority)


def build_plan(result: AuditResult) -> Plan:
    """The plan for what is reported in the result. Pure; without findings it is empty."""
    found = bottlenecks(result.findings)
    return Plan(
        bottlenecks=found,
        stages=tuple(_stages(found)),
        figures=_figures(found),
        scenarios=tuple(_scenarios(found)),
        this_week=_this_week(found),
    )


def _stages(found: Sequence[Bottleneck]) -> Iterable[Stage]:
    for name, risk, days in STAGES:
        members = tuple(each for each in found if each.remedy.stage == name)
        if members:
            efforts = _efforts(members)
            yield Stage(name, risk, _days(days, efforts), members, efforts)


def _efforts(members: Iterable[Bottleneck]) -> tuple[tuple[Effort, int], ...]:
    efforts: tuple[Effort, ...] = ("S", "M", "L")
    given = [finding.effort for each in members for finding in each.findings]
    return tuple((each, given.count(each)) for each in efforts if each in given)


def _days(usual: tuple[int, int], efforts: Iterable[tuple[Effort, int]]) -> tuple[int, int]:
    """The usual span, or that of the findings' efforts where it is longer; in working days of one person."""
    given = list(efforts)
    least, most = (sum(HOURS[effort][end] * count for effort, count in given) / HOURS_A_DAY for end in (0, 1))
    return max(usual[0], math.ceil(least)), max(usual[1], math.ceil(most))


def _figures(found: Iterable[Bottleneck]) -> tuple[tuple[str, tuple[Step, ...]], ...]:
    """Those that show whether what was found is gone, in the order in which the bottlenecks ask for them."""
    wanted: dict[str, list[Finding]] = {}
    for each in found:
        for name in each.remedy.figures:
            wanted.setdefault(name, []).extend(each.findings)
    return tuple((name, entry_points(findings)[:ENTRIES]) for name, findings in wanted.items())


def _scenarios(found: Sequence[Bottleneck]) -> Iterable[Scenario]:
    for name in SCENARIOS:
        members = tuple(each for each in found if name in each.remedy.scenarios)
        if members:
            entries = entry_points(finding for each in members for finding in each.findings)
            floor = name not in FLOORS or any(each.rule in FLOORS[name] for each in members)
            yield Scenario(name, entries[:ENTRIES], members, floor)


def _this_week(found: Sequence[Bottleneck]) -> tuple[Finding, ...]:
    """The worst of stage A, of many rules; when there is none, the worst of all."""
    first = _worst_of(found, lambda each: each.remedy.stage == "A")
    return first or _worst_of(found, lambda _: True)


def _worst_of(found: Iterable[Bottleneck], wanted: Callable[[Bottleneck], bool]) -> tuple[Finding, ...]:
    findings = (finding for each in found if wanted(each) for finding in each.findings)
    return tuple(worst_varied(findings, THIS_WEEK))
