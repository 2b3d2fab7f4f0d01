"""The one place that chooses a path."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext

from evenkeel.hotpath.passwords.hashing import build_hashing
from evenkeel.hotpath.passwords.inline import InlineHasher
from evenkeel.hotpath.passwords.limits import Limits
from evenkeel.hotpath.passwords.metering import LimitedHasher, build_meter
from evenkeel.hotpath.passwords.pooled import PooledHasher, open_pooled
from evenkeel.hotpath.ports.passwords import HashRules, PasswordHasher
from evenkeel.kernel.clock import Clock, SystemClock
from evenkeel.kernel.errors import ConfigurationError
from evenkeel.kernel.metrics import Meters
from evenkeel.kernel.switch import Path, Switchboard

Built = tuple[PasswordHasher, AbstractAsyncContextManager[None]]


@asynccontextmanager
async def build_passwords(
    rules: HashRules, switches: Switchboard, meters: Meters, *, clock: Clock | None = None
) -> AsyncIterator[PasswordHasher]:
    """A hasher. Raises `ConfigurationError` for rules that cannot hold.

    `rules.workers` is the cap on threads and, times `memory_kib`, on memory: 1 on a small machine, never more than the
    cores that may be spared.
    """
    _check(rules)
    hashing = await asyncio.to_thread(build_hashing, rules)
    time = clock or SystemClock()
    limits = Limits(rules, time)

    def pooled() -> Built:
        meter = build_meter(meters, Path.OPTIMISED.value)
        hasher = PooledHasher(hashing, rules, time, meter)
        return LimitedHasher(hasher, limits, meter), open_pooled(hasher)

    def inline() -> Built:
        meter = build_meter(meters, Path.ROLLBACK.value)
        return LimitedHasher(InlineHasher(hashing), limits, meter), nullcontext()

    hasher, opened = switches.pick("passwords", optimised=pooled, rollback=inline)
    async with opened:
        yield hasher


def _check(rules: HashRules) -> None:
    for name in ("workers", "max_waiting", "max_wait_s", "per_address", "per_account", "overall", "window_s"):
        if getattr(rules, name) <= 0:
            raise ConfigurationError(f"passwords.{name} is {getattr(rules, name)!r}.", hint="It must be above 0.")
