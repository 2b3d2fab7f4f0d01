"""What the agent tells about itself: `evenkeel_agent_*`."""

from __future__ import annotations

from dataclasses import dataclass

from prometheus_client import Counter, Gauge, Histogram

from evenkeel.kernel.metrics import Meters
from evenkeel.serve.ports.runs import Usage

LONG_SECONDS = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0)


@dataclass(frozen=True, slots=True)
class AgentMeter:
    """All of one `path`: the profile of the switches."""

    path: str
    turns: Counter
    seconds: Histogram
    overhead: Histogram
    model: Histogram
    first: Histogram
    rounds: Counter
    calls: Counter
    call_seconds: Histogram
    tokens: Counter
    retries: Counter
    timeouts: Counter
    resumed: Counter
    admitted: Counter
    active: Gauge

    def ended(self, outcome: str, seconds: float, away_s: float) -> None:
        """A turn is over. `away_s` = what of it was spent waiting for the model and for tools."""
        self.turns.labels(self.path, outcome).inc()
        self.seconds.labels(self.path).observe(seconds)
        self.overhead.labels(self.path).observe(max(0.0, seconds - away_s))

    def asked(self, seconds: float, first_s: float | None, usage: Usage) -> None:
        """A model call is over."""
        self.rounds.labels(self.path).inc()
        self.model.labels(self.path).observe(seconds)
        if first_s is not None:
            self.first.labels(self.path).observe(first_s)
        self.tokens.labels(self.path, "input").inc(usage.input_tokens)
        self.tokens.labels(self.path, "output").inc(usage.output_tokens)

    def called(self, kind: str, seconds: float, *, ok: bool) -> None:
        """A tool call is over; `kind` is `built_in`, `mcp` or `unknown`, never a name that the model made up."""
        self.calls.labels(self.path, kind, "ok" if ok else "error").inc()
        self.call_seconds.labels(self.path).observe(seconds)

    def submitted(self, answer: str) -> None:
        """What became of a request: `begun`, `queued`, `forked`, `refused`."""
        self.admitted.labels(self.path, answer).inc()

    def retried(self) -> None:
        """A model call is made again."""
        self.retries.labels(self.path).inc()

    def timed_out(self, what: str) -> None:
        """A `model` or a `tool` took longer than it may."""
        self.timeouts.labels(self.path, what).inc()

    def taken_up(self) -> None:
        """A run that another process left."""
        self.resumed.labels(self.path).inc()


def build_meter(meters: Meters, path: str) -> AgentMeter:
    """The metrics of an agent."""
    return AgentMeter(
        path,
        turns=meters.counter("agent", "turns", "Turns that ended, by outcome.", ["outcome"]),
        seconds=meters.histogram("agent", "turn", "seconds", "Duration of a turn.", bounds=LONG_SECONDS),
        overhead=meters.histogram("agent", "overhead", "seconds", "Of a turn, what neither model nor tools took."),
        model=meters.histogram("agent", "model", "seconds", "Duration of a model call.", bounds=LONG_SECONDS),
        first=meters.histogram("agent", "first_token", "seconds", "From the call to the first text of the model."),
        rounds=meters.counter("agent", "rounds", "Model calls that were answered."),
        calls=meters.counter("agent", "tool_calls", "Tool calls, by kind and outcome.", ["kind", "outcome"]),
        call_seconds=meters.histogram("agent", "tool", "seconds", "Duration of a tool call.", bounds=LONG_SECONDS),
        tokens=meters.counter("agent", "tokens", "Tokens, by direction.", ["direction"]),
        retries=meters.counter("agent", "model_retries", "Model calls that were made again."),
        timeouts=meters.counter("agent", "timeouts", "Calls that took longer than they may.", ["what"]),
        resumed=meters.counter("agent", "resumed_turns", "Turns taken up from a process that had left them."),
        admitted=meters.counter("agent", "requests", "Requests, by what became of them.", ["answer"]),
        active=meters.gauge("agent", "active", "items", "Turns at work here."),
    )
