"""`/metrics` of a server: the text of it into numbers, and what changed between two readings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from prometheus_client.parser import text_string_to_metric_families

Series = tuple[str, tuple[tuple[str, str], ...]]


@dataclass(frozen=True)
class Reading:
    """All samples of one or several servers, added up by name and labels."""

    samples: Mapping[Series, float]

    def total(self, name: str, **labels: str) -> float:
        """The sum of the samples of this name that carry these labels; 0 where there are none."""
        wanted = set(labels.items())
        return sum(value for (each, has), value in self.samples.items() if each == name and wanted <= set(has))

    def by(self, name: str, label: str) -> dict[str, float]:
        """The samples of this name, added up by one label."""
        found: dict[str, float] = {}
        for (each, has), value in self.samples.items():
            if each == name and (key := dict(has).get(label)) is not None:
                found[key] = found.get(key, 0.0) + value
        return found

    def since(self, earlier: Reading) -> Reading:
        """What was added since. A series that went down began anew (its process was killed): all of it counts."""
        return Reading(
            {
                key: value - before if value >= (before := earlier.samples.get(key, 0.0)) else value
                for key, value in self.samples.items()
            }
        )

    @property
    def names(self) -> set[str]:
        """Names that occur."""
        return {name for name, _ in self.samples}


def reading(texts: Iterable[str]) -> Reading:
    """The exposition of every instance, added up."""
    samples: dict[Series, float] = {}
    for text in texts:
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                key = (sample.name, tuple(sorted(sample.labels.items())))
                samples[key] = samples.get(key, 0.0) + sample.value
    return Reading(samples)
