"""Ringing for workers: the first ring leaves at once, those that follow within a moment travel together."""

from __future__ import annotations

from dataclasses import dataclass

from evenkeel.hotpath.ports.wakeups import Channel, Wakeups
from evenkeel.kernel.clock import Clock

MOMENT_S = 0.01
READY = "ready"
CANCEL = "cancel:"


@dataclass(slots=True)
class Bell:
    """`evenkeel`'s wake-ups on the channel of tasks. A flood of submits costs one notification per moment, while a
    lone one waits for nothing.
    """

    wakeups: Wakeups
    clock: Clock
    rung_s: float = float("-inf")

    def ready(self) -> None:
        """There is something to claim."""
        now = self.clock.monotonic_s()
        first = now - self.rung_s >= MOMENT_S
        if first:
            self.rung_s = now
        self.wakeups.wake(Channel.TASKS, READY, at_once=first)

    def cancel(self, task_id: str) -> None:
        """Whoever runs this task should look at its row."""
        self.wakeups.wake(Channel.TASKS, CANCEL + task_id, at_once=True)
