"""What a process left that died, or gave up, over a turn: read from the session's rows and events. Pure but for two
reads.

Rows say which rounds are complete; stored events say what watchers have seen of the round that is not. That round is
asked again, and its text goes on where the stored text ends (`thinking.Splice`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import msgspec

from evenkeel.hotpath.ports.stream_events import StoredEvent, StreamEvents
from evenkeel.serve.agent.history import Row
from evenkeel.serve.agent.models.calls import ToolCall
from evenkeel.serve.agent.turn import Begun, added
from evenkeel.serve.ports.runs import Usage

TAIL = 1_000
"""Rows of events that are looked at: a row holds up to 4 KB of joined text."""


class _Inner(msgspec.Struct):
    user_round: int = 0
    model_round: int = 0
    delta: str = ""
    usage: dict[str, int] = {}
    segments: list[_Inner] = []


class _Data(msgspec.Struct):
    data: _Inner


class _Stored(msgspec.Struct):
    event: str
    data: _Data


_DECODER = msgspec.json.Decoder(_Stored)


@dataclass(slots=True)
class Seen:
    """What the stored events say about one user round. `ended` = the kind of its terminal event."""

    model_round: int = 0
    texts: dict[int, str] = field(default_factory=dict)
    spent: Usage = field(default_factory=Usage)
    ended: str = ""


def seen_of(events: Iterable[StoredEvent], user_round: int) -> Seen:
    """Read a stretch of a session's events, oldest first."""
    seen, mine = Seen(), False
    for stored in events:
        try:
            event = _DECODER.decode(stored.payload)
        except msgspec.DecodeError:
            continue  # not of an agent's run
        if event.event == "error":
            seen.ended = "error" if mine else ""
            continue
        inner = event.data.data
        for part in inner.segments or [inner]:
            if part.user_round == user_round:
                mine = True
                _note(seen, event.event, part)
    return seen


def _note(seen: Seen, kind: str, part: _Inner) -> None:
    seen.ended = "final" if kind == "final" else ""
    seen.model_round = max(seen.model_round, part.model_round)
    if kind == "llm_output_delta":
        seen.texts[part.model_round] = seen.texts.get(part.model_round, "") + part.delta
    elif kind == "llm_output":
        seen.spent = added(seen.spent, Usage(**{name: part.usage.get(name, 0) for name in Usage.__slots__}))


@dataclass(frozen=True, slots=True)
class Left:
    """`user_round` 0 = the turn never began. `model_round` is where the voice stands; `answer` = the answer that was kept
    and not yet told.
    """

    user_round: int = 0
    model_round: int = 0
    begun: Begun = field(default_factory=lambda: Begun(()))
    ended: str = ""
    answer: Row | None = None


async def left_by(run: str, rows: Sequence[Row], events: StreamEvents, session_id: str) -> Left:
    """What is left of a run, given the newest rows of its session."""
    user_round = next((row.meta.user_round for row in rows if row.meta.run == run), 0)
    if not user_round:
        return Left(begun=Begun(tuple(rows)))
    page = await events.read_tail(session_id, limit=TAIL)
    seen = seen_of(page.events, user_round)
    return _left(run, rows, user_round, seen)


def _left(run: str, rows: Sequence[Row], user_round: int, seen: Seen) -> Left:
    mine = [row for row in rows if row.meta.run == run]
    last = mine[-1]
    if last.role == "assistant" and not last.tool_calls:
        return Left(user_round, last.meta.model_round, Begun(tuple(rows), spent=seen.spent), seen.ended, last)
    if last.role == "assistant":  # its calls have no results: they are made again
        calls = tuple(ToolCall(call.id, call.name, call.arguments) for call in last.tool_calls)
        begun = Begun(tuple(row for row in rows if row is not last), "", calls, seen.spent)
        return Left(user_round, last.meta.model_round, begun, seen.ended)
    kept = last.meta.model_round  # complete, with its results; 0 = the user's message
    shown = seen.texts.get(seen.model_round, "") if seen.model_round > kept else ""
    at = seen.model_round if shown else kept
    return Left(user_round, at, Begun(tuple(rows), shown, spent=seen.spent), seen.ended)
