"""What the event writer is built with. The rules of a write queue stand at its port."""

from __future__ import annotations

from dataclasses import dataclass, field

from evenkeel.hotpath.ports.envelopes import Envelope, JsonEnvelope
from evenkeel.hotpath.ports.stream_events import RESERVE_AHEAD
from evenkeel.kernel.clock import Clock, SystemClock
from evenkeel.kernel.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class WriterRules:
    """When batches leave, and what may wait.

    A batch leaves when its bucket holds `batch_events` rows or `batch_bytes`, at the latest `batch_s` after its first event:
    that is also how much of what was shown a killed process can lose. Sessions are spread over `buckets`, each of which
    has one append under way. Deltas of one kind are joined into rows of up to `join_bytes`.

    At most `session_events` and `session_bytes` of a session, and `total_bytes` in all, wait to be stored: then `emit`
    waits up to `room_s`. `flush` waits up to `flush_s`. At most `sessions` runs are open. While storage is away a
    batch is sent again after `retry_s`, growing to `retry_max_s`. Closing waits `drain_s`. `posts_s`: how often open
    runs look for posts whose wake-up was lost.
    """

    batch_events: int = 500
    batch_bytes: int = 512 * 1024
    batch_s: float = 0.02
    buckets: int = 4
    join_bytes: int = 4_096
    event_bytes: int = 1024 * 1024
    session_events: int = 2_048
    session_bytes: int = 4 * 1024 * 1024
    total_bytes: int = 256 * 1024 * 1024
    sessions: int = 20_000
    room_s: float = 10.0
    flush_s: float = 10.0
    drain_s: float = 10.0
    retry_s: float = 0.05
    retry_max_s: float = 1.0
    posts_s: float = 5.0
    envelope: Envelope = field(default_factory=JsonEnvelope)
    clock: Clock = field(default_factory=SystemClock)

    def __post_init__(self) -> None:
        if not 0 < self.session_events < RESERVE_AHEAD:
            raise ConfigurationError(
                f"writes.session_events is {self.session_events}.", hint=f"Use 1 to {RESERVE_AHEAD - 1}."
            )
