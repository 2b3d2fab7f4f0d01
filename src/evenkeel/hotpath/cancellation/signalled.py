"""The optimised path: a token is set by an event; other instances hear of it through the notification channel."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, AsyncExitStack, suppress
from types import TracebackType

from evenkeel.hotpath.cancellation.rules import CancelRules
from evenkeel.hotpath.cancellation.settlement import Settlement
from evenkeel.hotpath.cancellation.tokens import RunToken, Tokens
from evenkeel.hotpath.ports.cancellation import CancelledBy, CancelReport
from evenkeel.hotpath.ports.leases import SessionLeases
from evenkeel.hotpath.ports.wakeups import Channel, Wakeups
from evenkeel.kernel.background import background
from evenkeel.kernel.errors import UnavailableError

SEPARATOR = "\x1f"
"""Between the parts of a wake-up's key: why, which session, which run."""


class SignalledCancellation:
    """`Cancellation`. The key of a wake-up names the run, so a late one cannot hit the run that came after."""

    def __init__(self, rules: CancelRules, settlement: Settlement, leases: SessionLeases, wakeups: Wakeups) -> None:
        self._rules, self._settlement = rules, settlement
        self._leases, self._wakeups = leases, wakeups
        self.tokens = Tokens(rules.tokens)
        self._stop_listening: Callable[[], None] | None = None
        self._open = AsyncExitStack()

    async def __aenter__(self) -> SignalledCancellation:
        self._stop_listening = self._wakeups.listen(Channel.CANCEL, self._heard)
        await self._open.enter_async_context(background(self._check(), "evenkeel-cancellation"))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._stop_listening is not None:
            self._stop_listening()
        await self._open.aclose()

    def token(self, session_id: str, owner: str) -> AbstractContextManager[RunToken]:
        """See the port."""
        return self.tokens.token(session_id, owner)

    async def cancel(self, session_id: str, by: CancelledBy = CancelledBy.USER, *, sparing: str = "") -> CancelReport:
        """See the port. Raises `StorageUnavailableError` after the signal: repeat it to settle."""
        try:
            found = await self._settlement.begin(session_id, sparing)
        except BaseException:  # the run stops, whether or not storage answers, or whoever asks is still there
            self.tokens.trip(session_id, "", by)
            raise
        if found.only_waits:
            return CancelReport(False, False, found.tasks, found.ended.last_id)
        signalled = self.tokens.trip(session_id, "", by)
        held = found.held
        elsewhere = held is not None and not self._is_here(session_id, held.owner)
        if held is not None and elsewhere:
            self._wakeups.wake(Channel.CANCEL, SEPARATOR.join((by.value, session_id, held.owner)), at_once=True)
            await self._rules.clock.sleep(self._rules.grace_s)
        terminal = await self._settlement.finish(found)
        return CancelReport(signalled, elsewhere, found.tasks, terminal, found.running)

    def _is_here(self, session_id: str, owner: str) -> bool:
        return any(token.owner == owner for token in self.tokens.of(session_id))

    def _heard(self, keys: Sequence[str]) -> None:
        for key in keys:
            with suppress(ValueError):  # not one of ours
                by, session_id, owner = key.split(SEPARATOR)
                self.tokens.trip(session_id, owner, CancelledBy(by))

    async def _check(self) -> None:
        """One statement for all runs here: whoever cancels releases the lease, so a lost wake-up is made good."""
        while True:
            await self._rules.clock.sleep(self._rules.check_s)
            sessions = sorted({token.session_id for token in self.tokens.all()})
            with suppress(UnavailableError):
                # evenkeel: ignore[db-poll-loop] the slow fall-back: one read for all runs here, should a wake-up be lost
                held = await self._leases.live(sessions) if sessions else {}
                self.tokens.compare({name: lease.owner for name, lease in held.items()})
