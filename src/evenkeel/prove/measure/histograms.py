"""Latencies in HDR histograms: every value within 0.1 %, whatever its size, mergeable, and written down raw."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from hdrh.histogram import HdrHistogram

_LOWEST_US, _HIGHEST_US, _DIGITS = 1, 3_600_000_000, 3
QUANTILES = (50.0, 95.0, 99.0)


def histogram(seconds: Iterable[float] = ()) -> Any:
    """A histogram of these durations. What is below a microsecond counts as one."""
    made = HdrHistogram(_LOWEST_US, _HIGHEST_US, _DIGITS)
    for each in seconds:
        record(made, each)
    return made


def record(into: Any, seconds: float) -> None:
    """Add one duration."""
    into.record_value(min(_HIGHEST_US, max(_LOWEST_US, round(seconds * 1e6))))


def corrected(seconds: Iterable[float], interval_s: float) -> Any:
    """A histogram of what a client that sends every `interval_s` and waits for each answer would have seen without waiting.

    A closed loop sends nothing while it waits, so a stall shows up once instead of once per request that should have been
    sent meanwhile (coordinated omission). This adds those. Open loops measure from the intended start and need it not."""
    made = HdrHistogram(_LOWEST_US, _HIGHEST_US, _DIGITS)
    expected = max(1, round(interval_s * 1e6))
    for each in seconds:
        made.record_corrected_value(min(_HIGHEST_US, max(_LOWEST_US, round(each * 1e6))), expected)
    return made


def quantile_s(of: Any, percent: float) -> float:
    """The duration in seconds at this percentile; 0 when empty."""
    return float(of.get_value_at_percentile(percent)) / 1e6 if of.get_total_count() else 0.0


def encoded(of: Any) -> str:
    """Base64 of the compressed V2 form, which other HDR libraries read too."""
    return bytes(of.encode()).decode("ascii")


def decoded(text: str) -> Any:
    """What `encoded` wrote."""
    return HdrHistogram.decode(text.encode("ascii"))


def merged(texts: Iterable[str]) -> Any:
    """All of them in one."""
    made = histogram()
    for each in texts:
        made.add(decoded(each))
    return made


def quantiles_ms(name: str, of: Any) -> Mapping[str, float]:
    """Figures `<name>_p50_ms` and so on."""
    return {f"{name}_p{percent:g}_ms": quantile_s(of, percent) * 1e3 for percent in QUANTILES}
