"""Tokens of the runs that are at work here. The same on both paths."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from evenkeel.hotpath.ports.cancellation import CancelledBy
from evenkeel.hotpath.ports.errors import QueueFullError


class RunToken:
    """`CancelToken`. `seen` = its lease was found live once, so its absence means something."""

    __slots__ = ("_calls", "_reason", "_waiting", "owner", "seen", "session_id")

    def __init__(self, session_id: str, owner: str) -> None:
        self.session_id, self.owner = session_id, owner
        self.seen = False
        self._reason: CancelledBy | None = None
        self._calls: list[Callable[[CancelledBy], None]] = []  # as many as the run has registered
        self._waiting: list[asyncio.Future[CancelledBy]] = []

    @property
    def reason(self) -> CancelledBy | None:
        """See the port."""
        return self._reason

    async def wait(self) -> CancelledBy:
        """See the port."""
        if self._reason is not None:
            return self._reason
        future: asyncio.Future[CancelledBy] = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        try:
            return await future
        finally:
            if future in self._waiting:
                self._waiting.remove(future)

    def on_cancel(self, call: Callable[[CancelledBy], None]) -> None:
        """See the port."""
        if self._reason is not None:
            call(self._reason)
        else:
            self._calls.append(call)

    def trip(self, by: CancelledBy) -> bool:
        """Cancel; False if it was cancelled before."""
        if self._reason is not None:
            return False
        self._reason = by
        calls, self._calls = self._calls, []
        waiting, self._waiting = self._waiting, []
        for future in waiting:
            if not future.done():
                future.set_result(by)
        for call in calls:
            call(by)
        return True


class Tokens:
    """Tokens by session; a session without a run costs nothing."""

    def __init__(self, bound: int) -> None:
        self._bound = bound
        self._tokens: dict[str, list[RunToken]] = {}
        self.count = 0

    @contextmanager
    def token(self, session_id: str, owner: str) -> Iterator[RunToken]:
        """For the time of a run. Raises `QueueFullError` when as many runs are at work as may be."""
        if self.count >= self._bound:
            raise QueueFullError("The runs that can be cancelled", self._bound)
        token = RunToken(session_id, owner)
        mine = self._tokens.setdefault(session_id, [])
        mine.append(token)
        self.count += 1
        try:
            yield token
        finally:
            self.count -= 1
            mine.remove(token)
            if not mine:
                del self._tokens[session_id]

    def of(self, session_id: str) -> list[RunToken]:
        """The tokens of a session, oldest first; two while an old run has not noticed yet."""
        return list(self._tokens.get(session_id, ()))

    def all(self) -> list[RunToken]:
        """Every token."""
        return [token for tokens in self._tokens.values() for token in tokens]

    def trip(self, session_id: str, owner: str, by: CancelledBy) -> bool:
        """Cancel the run of this owner ("" = whoever is at work); whether one was."""
        tripped = [token.trip(by) for token in self.of(session_id) if owner in {"", token.owner}]
        return any(tripped)

    def compare(self, owners: dict[str, str]) -> None:
        """Cancel the runs whose lease is gone, given who holds which session."""
        for token in self.all():
            if owners.get(token.session_id) == token.owner:
                token.seen = True
            elif token.seen:
                token.trip(CancelledBy.LEASE_LOST)
