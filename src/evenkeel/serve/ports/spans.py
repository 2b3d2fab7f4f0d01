"""Spans: what rooms tell of their work to whoever traces it. Rooms know this port alone, never a tracing library."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

Attributes = Mapping[str, str | int | float | bool]


class SpanKind(Enum):
    """`CLIENT` = waits for another service; `INTERNAL` = works here."""

    INTERNAL = "internal"
    CLIENT = "client"


class Span(Protocol):
    """One stretch of work, under way."""

    def tell(self, attributes: Attributes) -> None:
        """What became known of it since it began."""
        ...

    def failed(self, kind: str) -> None:
        """It ended badly; `kind` is a short word, never a message that may quote what somebody wrote."""
        ...


class Spans(Protocol):
    """Begins spans. Names and attributes follow OpenTelemetry's conventions for generative AI."""

    def span(
        self, name: str, attributes: Attributes, kind: SpanKind = SpanKind.INTERNAL
    ) -> AbstractContextManager[Span]:
        """Around a stretch of work, below the span that surrounds it. An exception that leaves it fails the span by its
        type; a cancel does not.
        """
        ...


@dataclass(frozen=True, slots=True)
class _Silent:
    def tell(self, attributes: Attributes) -> None:
        """Nobody listens."""

    def failed(self, kind: str) -> None:
        """Nobody listens."""

    def span(
        self,
        name: str,  # noqa: ARG002 nobody listens
        attributes: Attributes,  # noqa: ARG002
        kind: SpanKind = SpanKind.INTERNAL,  # noqa: ARG002
    ) -> AbstractContextManager[Span]:
        """Costs an object."""
        return nullcontext(self)


NO_SPANS: Spans = _Silent()
