"""Sightings of technologies, and what they amount to together.

Every finder answers with sightings: "this line shows that technology". Merging weighs them: what is configured counts
more than what is declared, what is declared more than what is imported, and documents least, because they go stale.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from evenkeel.audit.discovery.catalogue import Ecosystem, catalogue
from evenkeel.audit.model.profile import Role, Source, Technology

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

Evidence = Literal["lock", "configuration", "manifest", "extra", "import", "development", "document"]
# One weight a kind of evidence; a technology's weight is the sum over the kinds that show it.
WEIGHTS: dict[Evidence, float] = {
    "lock": 0.0,  # a lock file lists what others depend on: it only states versions
    "configuration": 40.0,
    "manifest": 30.0,
    "extra": 20.0,
    "import": 15.0,
    "development": 4.0,
    "document": 10.0,
}
IMPLIED_SHARE = 0.6  # of the weight of the technology that implies it
_VERSION_ORDER: tuple[Evidence, ...] = (
    "lock",
    "configuration",
    "manifest",
    "extra",
    "development",
    "import",
    "document",
)
_ROLES: tuple[Role, ...] = ("language", "database", "orm", "driver", "web", "async", "queue", "cache", "other")


@dataclass(frozen=True, slots=True)
class Sighting:
    """One place that shows a technology. `version` is as stated there, "" when it states none."""

    name: str
    evidence: Evidence
    file: str
    line: int = 0
    version: str = ""
    implied_by: str = ""
    companion: str = ""  # package and version that shows the technology without being it

    @property
    def weight(self) -> float:
        return WEIGHTS[self.evidence] * (IMPLIED_SHARE if self.implied_by else 1.0)

    @property
    def source(self) -> Source:
        implied = f"implied by {self.implied_by}" if self.implied_by else ""
        return Source(self.file, self.line, self.version or implied or self.companion)


def of_package(ecosystem: Ecosystem, package: str, version: str, where: Sighting) -> Iterator[Sighting]:
    """The sighting of a package at a place (`where` gives evidence, file and line); none for a package nobody knows."""
    if found := catalogue().of_package(ecosystem, package):
        name, is_itself = found
        companion = "" if is_itself else f"{package} {version}".rstrip()
        stated = version if is_itself else ""
        yield replace(where, name=name, version=stated, companion=companion)


def merged(sightings: Iterable[Sighting], locked: Iterable[Sighting]) -> tuple[tuple[Technology, ...], list[str]]:
    """Technologies sorted by role, then strongest evidence first; and notes about documents that disagree.

    `locked` states exact versions; it never brings a technology in by itself."""
    groups: dict[str, list[Sighting]] = {}
    for each in _with_implied(list(sightings)):
        groups.setdefault(each.name, []).append(each)
    versions: dict[str, list[Sighting]] = {}
    for each in locked:
        versions.setdefault(each.name, []).append(each)
    notes: list[str] = []
    ranked = []
    for name, group in groups.items():
        seen = sorted(set(group), key=lambda each: (-each.weight, each.file.count("/"), each.file, each.line))
        exact = _nearest(versions.get(name, []), seen[0].file)
        ranked.append((_rank(name, seen), _technology(name, [*exact, *seen])))
        notes += _disagreements(name, seen)
    return tuple(technology for _, technology in sorted(ranked, key=lambda pair: pair[0])), notes


def _with_implied(sightings: list[Sighting]) -> list[Sighting]:
    """The sightings and, to any depth, those of the technologies that they imply."""
    entries = catalogue().entries
    found, waiting = list(sightings), list(sightings)
    while waiting:
        each = waiting.pop()
        entry = entries.get(each.name)
        implied = entry.implies if entry else ()
        further = [Sighting(name, each.evidence, each.file, each.line, implied_by=each.name) for name in implied]
        found += further
        waiting += further
    return found


def _rank(name: str, group: Sequence[Sighting]) -> tuple[int, float, str]:
    best: dict[Evidence, float] = {}
    for each in group:
        best[each.evidence] = max(best.get(each.evidence, 0.0), each.weight)
    return _ROLES.index(catalogue().role(name)), -sum(best.values()), name


def _technology(name: str, group: Sequence[Sighting]) -> Technology:
    stated = [each for each in group if each.version and not each.implied_by]
    strongest = min(stated, key=lambda each: _VERSION_ORDER.index(each.evidence), default=None)
    sources = dict.fromkeys(each.source for each in group)
    return Technology(name, catalogue().role(name), strongest.version if strongest else "", tuple(sources))


def _nearest(locked: list[Sighting], file: str) -> list[Sighting]:
    """The lock that governs `file`: in its folder or the nearest one above; else the shallowest of all."""

    def distance(each: Sighting) -> tuple[int, int, str]:
        folder = each.file.rpartition("/")[0]
        above = not folder or file.startswith(f"{folder}/")
        return (0 if above else 1, -folder.count("/") - bool(folder) if above else each.file.count("/"), each.file)

    return sorted(locked, key=distance)[:1]


def _disagreements(name: str, group: Sequence[Sighting]) -> list[str]:
    """A note for each document whose release contradicts what is configured or declared."""
    firm = next((each for each in group if each.version and each.evidence in {"configuration", "manifest"}), None)
    return [
        f"{each.file}:{each.line} says {name} {each.version}, but {firm.file}:{firm.line} says {firm.version};"
        " the latter is used"
        for each in group
        if firm and each.evidence == "document" and _contradicts(each.version, firm.version)
    ]


def _contradicts(stated: str, firm: str) -> bool:
    """Whether two versions name different major releases; ranges and words contradict nothing."""
    first, second = (version.split(".")[0].split("-")[0].strip(" =v") for version in (stated, firm))
    return first.isdecimal() and second.isdecimal() and int(first) != int(second)
