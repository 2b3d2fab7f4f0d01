"""What every route is given: the parts, the agent, and the API's own few objects. Built once, in `build`."""

from __future__ import annotations

from collections.abc import Collection, MutableMapping, Sequence
from dataclasses import dataclass

from starlette.requests import HTTPConnection

from evenkeel.hotpath.ports.bus import Subscription
from evenkeel.hotpath.ports.errors import UnknownSessionError
from evenkeel.hotpath.ports.sessions import ChatSession
from evenkeel.hotpath.ports.stream_events import Cursor
from evenkeel.serve.api.accounts import Accounts
from evenkeel.serve.api.callers import Callers, bearer_of
from evenkeel.serve.api.frames import is_turn_end, is_turn_start
from evenkeel.serve.api.front import STATE
from evenkeel.serve.api.meters import ApiMeter
from evenkeel.serve.api.profiles import tool_overrides
from evenkeel.serve.api.settings import ApiSettings, AuthSettings
from evenkeel.serve.api.streams import OpenStreams
from evenkeel.serve.ports.failures import CodedError
from evenkeel.serve.ports.identity import Identity
from evenkeel.serve.ports.parts import Parts
from evenkeel.serve.ports.runs import Runs, RunState

TAIL = 500


@dataclass(frozen=True, slots=True)
class Desk:
    """`models` are the names that `/v1/models` lists; `tools_kept` the tools that sessions are limited to, for a while."""

    parts: Parts
    runs: Runs
    settings: ApiSettings
    auth: AuthSettings
    callers: Callers
    accounts: Accounts
    meter: ApiMeter
    streams: OpenStreams
    tools_kept: MutableMapping[str, tuple[str, ...]]
    models: Sequence[str] = ("evenkeel",)

    async def user(self, connection: HTTPConnection) -> Identity:
        """The user behind a request's token. Raises `CodedError` UNAUTHORIZED."""
        found = await self.callers.user(bearer_of(connection.headers))
        if found is None:
            raise CodedError("UNAUTHORIZED", "Log in first.", hint="Send Authorization: Bearer TOKEN.")
        return found

    async def session(self, session_id: str, user: Identity) -> ChatSession:
        """A session of this user's own. Raises `UnknownSessionError` for every other, administrators included."""
        return await self.parts.storage.sessions.get(session_id, user.user_id)

    async def main_sessions(self, user_id: str, agent_ids: Collection[str]) -> set[str]:
        """The main sessions of a user with these agents."""
        return {thread.session_id for thread in await self.parts.storage.threads.mains(user_id, agent_ids)}

    async def tools_of(self, session_id: str, user: Identity) -> tuple[str, ...]:
        """The tools that a session was limited to; () = the usual ones, also for a session that is yet to be made."""
        kept = self.tools_kept.get(session_id)
        if kept is None:
            try:
                kept = tuple(tool_overrides(await self.session(session_id, user)))
            except UnknownSessionError:
                return ()
            self.tools_kept[session_id] = kept
        return kept

    async def turn_start(self, session_id: str, *, or_last: bool = False) -> int:
        """The cursor before the turn at work in a session; if there is none, before the last one, or the end.

        A client that comes without a cursor wants the answer that is being written, not what it can read as messages:
        the contract's server forgets a session's events when its next turn starts.
        """
        events = self.parts.storage.events
        end = await events.read_tail(session_id, limit=1)  # before the state: a turn that begins in between is seen
        state = (await self.runs.states([session_id])).get(session_id, RunState.IDLE)
        if not (state.active or or_last):
            return end.last_id
        tail = await events.read_tail(session_id, limit=TAIL)
        for stored in reversed(tail.events):
            if is_turn_start(stored.payload):
                return stored.event_id - 1
            if state.active and is_turn_end(stored.payload):
                return tail.last_id  # the turn at work is so young that nothing of it is stored
        return tail.events[0].event_id - 1 if tail.events else tail.last_id

    async def reader(
        self, session_id: str, after_id: int | None, epoch: int = 0, *, endless: bool = False
    ) -> Subscription:
        """Read a session whose owner was checked; `endless` as at the bus."""
        cursor = None if after_id is None else Cursor(session_id, after_id, epoch)
        return await self.parts.bus.subscribe(cursor, session_id, endless=endless)


def operator_of(connection: HTTPConnection) -> Identity:
    """Who passed the guard."""
    operator: Identity = connection.scope[STATE]["operator"]
    return operator


def has_key(connection: HTTPConnection) -> bool:
    """Whether a request on an admin path came with the server's key or an administrator's token."""
    return connection.scope[STATE].get("operator") is not None


def address_of(connection: HTTPConnection) -> str:
    """Where a request comes from, as the server saw it (behind a trusted proxy: as that says)."""
    return connection.client.host if connection.client else "unknown"
