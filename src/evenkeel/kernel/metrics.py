"""Metrics: one way to name them, one registry that is passed in.

A name is `evenkeel_<room>_<thing>_<unit>[_total]`. Both paths of a part emit the same series, told apart by the label
`path`. Labels never hold a session, user or task id: a label with unbounded values is a leak in the process that
scrapes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)
from prometheus_client.metrics import MetricWrapperBase

from evenkeel.kernel.errors import InternalError

TEXT_FORMAT = "text/plain; version=0.0.4; charset=utf-8"
UNITS = frozenset({"seconds", "bytes", "ratio", "percent", "info", "timestamp", "items"})
# From 100 us to 10 s: a commit here takes 0.3 ms, a model call seconds. Counts and bytes take other bounds.
SECONDS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
ITEMS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
BYTES = (256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304)
_NAME = re.compile(r"evenkeel(_[a-z][a-z0-9]*){2,}")
Metric = TypeVar("Metric", bound=MetricWrapperBase)


@dataclass(frozen=True, slots=True)
class Described:
    """One metric as a dashboard names it. `kind` is Prometheus' own word; every metric also has the label `path`."""

    name: str
    kind: str
    text: str
    labels: tuple[str, ...]


class Meters:
    """Makes each metric once and hands it out again to the next that asks: both paths of a part share it.

    `registry` is where they are registered; one `Meters` per registry.
    """

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = CollectorRegistry() if registry is None else registry
        self._made: dict[str, MetricWrapperBase] = {}  # bounded by the number of names in the code

    def counter(self, room: str, thing: str, text: str, labels: Sequence[str] = ()) -> Counter:
        """`evenkeel_<room>_<thing>_total`."""
        name = named(room, thing)
        return self._once(name, Counter, lambda: Counter(name, text, ("path", *labels), registry=self.registry))

    def gauge(self, room: str, thing: str, unit: str, text: str, labels: Sequence[str] = ()) -> Gauge:
        """`evenkeel_<room>_<thing>_<unit>`."""
        name = named(room, thing, unit)
        return self._once(name, Gauge, lambda: Gauge(name, text, ("path", *labels), registry=self.registry))

    def histogram(
        self,
        room: str,
        thing: str,
        unit: str,
        text: str,
        labels: Sequence[str] = (),
        *,
        bounds: Sequence[float] = SECONDS,
    ) -> Histogram:
        """`evenkeel_<room>_<thing>_<unit>`, with upper `bounds` in that unit."""
        name = named(room, thing, unit)
        return self._once(
            name, Histogram, lambda: Histogram(name, text, ("path", *labels), registry=self.registry, buckets=bounds)
        )

    def described(self) -> list[Described]:
        """Every metric that was made, by name."""
        found = [_described(name, made) for name, made in self._made.items()]
        return sorted(found, key=lambda each: each.name)

    def text(self) -> bytes:
        """Everything, in the text format that Prometheus reads."""
        return generate_latest(self.registry)

    def _once(self, name: str, kind: type[Metric], make: Callable[[], Metric]) -> Metric:
        made = self._made.get(name)
        if made is None:
            made = self._made[name] = make()
        if not isinstance(made, kind):
            raise InternalError(
                f"Metric {name} exists as {type(made).__name__}.", hint="Give the new one its own name."
            )
        return made


def _described(name: str, made: MetricWrapperBase) -> Described:
    (family,) = made.describe()
    shown = f"{name}_total" if family.type == "counter" else name
    return Described(shown, family.type, family.documentation, tuple(made._labelnames[1:]))


def named(room: str, thing: str, unit: str = "") -> str:
    """The full name of a metric. Raises `InternalError` for a name or a unit outside the rule."""
    name = "_".join(part for part in ("evenkeel", room, thing, unit) if part)
    if not _NAME.fullmatch(name) or (unit and unit not in UNITS):
        raise InternalError(
            f"Metric name {name!r} breaks the rule.",
            hint=f"Use evenkeel_<room>_<thing>_<unit>; units: {', '.join(sorted(UNITS))}.",
        )
    return name
