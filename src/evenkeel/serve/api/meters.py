"""Figures of the API. Label `path` is the profile; no label holds an id."""

from __future__ import annotations

from evenkeel.kernel.metrics import Meters

ROUTES = ("method", "route", "status")
REQUEST_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class ApiMeter:
    """What the API counts and times."""

    def __init__(self, meters: Meters, profile: str) -> None:
        self._profile = profile
        self._requests = meters.histogram(
            "api", "request", "seconds", "HTTP requests, to the last byte.", ROUTES, bounds=REQUEST_SECONDS
        )
        self._first = meters.histogram(
            "api", "first_event", "seconds", "From a request to the first event of its run.", ["channel"]
        )
        self._runs = meters.counter("api", "runs", "Runs that were asked for, by how they ended.", ["channel", "end"])
        self._streams = meters.gauge("api", "streams", "items", "Open SSE responses and WebSockets.", ["channel"])
        self._events = meters.counter("api", "events", "Events sent to clients.", ["channel"])
        self._slow = meters.counter("api", "slow_clients", "Times a client took less than there was.", ["channel"])
        self._cut = meters.counter("api", "cut_clients", "Clients cut off because they took nothing.", ["channel"])

    def request(self, route: str, method: str, status: int, seconds: float) -> None:
        """One HTTP request is over."""
        kind = method if method in METHODS else "OTHER"
        self._requests.labels(self._profile, kind, route, f"{status // 100}xx").observe(seconds)

    def first_event(self, channel: str, seconds: float) -> None:
        """A run said its first word."""
        self._first.labels(self._profile, channel).observe(seconds)

    def run(self, channel: str, end: str) -> None:
        """A run ended, or was not begun: `final`, `queued`, or the code of its error."""
        self._runs.labels(self._profile, channel, end).inc()

    def opened(self, channel: str, change: int) -> None:
        """A stream opened (1) or closed (-1)."""
        self._streams.labels(self._profile, channel).inc(change)

    def events(self, channel: str, count: int) -> None:
        """Events that were handed to a connection."""
        self._events.labels(self._profile, channel).inc(count)

    def slow(self, channel: str) -> None:
        """A connection's outbound room was full."""
        self._slow.labels(self._profile, channel).inc()

    def cut(self, channel: str) -> None:
        """A connection was given up."""
        self._cut.labels(self._profile, channel).inc()
