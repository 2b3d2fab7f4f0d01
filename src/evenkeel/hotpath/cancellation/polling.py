"""The rollback path: a flag behind one lock, and every run looks every 200 ms."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import TracebackType

from evenkeel.hotpath.cancellation.rules import CancelRules
from evenkeel.hotpath.cancellation.settlement import Settlement
from evenkeel.hotpath.cancellation.tokens import RunToken, Tokens
from evenkeel.hotpath.ports.cancellation import CancelledBy, CancelReport
from evenkeel.hotpath.ports.leases import SessionLeases
from evenkeel.kernel.errors import EvenkeelError, UnavailableError


class PollingCancellation:
    """`Cancellation`: the flags of all sessions stand behind one lock; another instance's run finds its lease gone."""

    def __init__(self, rules: CancelRules, settlement: Settlement, leases: SessionLeases) -> None:
        self._rules, self._settlement, self._leases = rules, settlement, leases
        self._lock = asyncio.Lock()
        self._flags: dict[tuple[str, str], CancelledBy] = {}  # (session, owner); gone with the run
        self.tokens = Tokens(rules.tokens)
        self._polls: dict[RunToken, asyncio.Task[None]] = {}

    async def __aenter__(self) -> PollingCancellation:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for poll in tuple(self._polls.values()):
            poll.cancel()
        await asyncio.gather(*self._polls.values(), return_exceptions=True)

    @contextmanager
    def token(self, session_id: str, owner: str) -> Iterator[RunToken]:
        """See the port."""
        with self.tokens.token(session_id, owner) as token:
            poll = asyncio.get_running_loop().create_task(self._poll(token))
            self._polls[token] = poll
            poll.add_done_callback(lambda _: self._polls.pop(token, None))
            try:
                yield token
            finally:
                poll.cancel()
                self._flags.pop((session_id, owner), None)

    async def cancel(self, session_id: str, by: CancelledBy = CancelledBy.USER, *, sparing: str = "") -> CancelReport:
        """See the port. Raises `StorageUnavailableError` after the flag is set: repeat it to settle."""
        try:
            found = await self._settlement.begin(session_id, sparing)
        except EvenkeelError:
            await self._flag(session_id, by)
            raise
        if found.only_waits:
            return CancelReport(False, False, found.tasks, found.ended.last_id)
        here = await self._flag(session_id, by)
        held = found.held
        elsewhere = held is not None and held.owner not in {token.owner for token in self.tokens.of(session_id)}
        terminal = await self._settlement.finish(found)
        return CancelReport(here, elsewhere, found.tasks, terminal, found.running)

    async def _flag(self, session_id: str, by: CancelledBy) -> bool:
        async with self._lock:
            here = [token for token in self.tokens.of(session_id) if token.reason is None]
            for token in here:
                self._flags[session_id, token.owner] = by
        return bool(here)

    async def _poll(self, token: RunToken) -> None:
        while token.reason is None:
            await self._rules.clock.sleep(self._rules.poll_s)
            async with self._lock:
                flag = self._flags.get((token.session_id, token.owner))
            if flag is not None:
                token.trip(flag)
                return
            with suppress(UnavailableError):
                held = (await self._leases.live([token.session_id])).get(token.session_id)
                if held is not None and held.owner == token.owner:
                    token.seen = True
                elif token.seen:
                    token.trip(CancelledBy.LEASE_LOST)
