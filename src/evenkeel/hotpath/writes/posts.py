"""Brings what others want said to the runs that are at work here: one read for all of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Protocol

from evenkeel.hotpath.ports.stream_events import Post, StreamEvents
from evenkeel.hotpath.writes.rules import WriterRules
from evenkeel.kernel.errors import UnavailableError


class PostTaker(Protocol):
    """A run."""

    def post(self, post: Post) -> None:
        """Say it, in order."""
        ...


class PostReader:
    """Reads when told to, and now and then by itself while a run is open."""

    def __init__(
        self,
        rules: WriterRules,
        events: StreamEvents,
        sessions: Callable[[], list[str]],
        run_of: Callable[[str], PostTaker | None],
    ) -> None:
        self._rules, self._events = rules, events
        self._sessions, self._run_of = sessions, run_of
        self._wanted: dict[str, None] = {}  # sessions with an open run here
        self._some = asyncio.Event()

    def look(self, session_ids: Sequence[str]) -> None:
        """There may be posts for these."""
        self._wanted.update(dict.fromkeys(session_ids))
        if self._wanted:
            self._some.set()

    async def work(self) -> None:
        """Until cancelled."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._rules.posts_s):
                    await self._some.wait()
            self._some.clear()
            wanted = list(self._wanted) or self._sessions()
            self._wanted.clear()
            with suppress(UnavailableError):  # the next look finds them
                await self._bring(wanted)

    async def _bring(self, session_ids: list[str]) -> None:
        posts = await self._events.posts(session_ids) if session_ids else []
        for post in posts:
            run = self._run_of(post.session_id)
            if run is not None:
                run.post(post)
