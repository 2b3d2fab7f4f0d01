"""What one client sees of one session: words, order, doubles, ends. The same for SSE and WebSocket.

Rules of the contract (section 3.1): event ids of a session only grow; a replayed delta row carries `segments`, and the client
drops those at or below its cursor; every turn ends in exactly one `final` or `error`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import msgspec

from evenkeel.prove.measure.tokens import Track

_TURN = re.compile(rb"\bturn=([\w.:-]+)")
ENDS = frozenset({"final", "error"})


class Segment(msgspec.Struct):
    """One delta of a joined row."""

    event_id: int = 0
    delta: str = ""


class Delta(msgspec.Struct):
    """The inner data of `llm_output_delta`."""

    delta: str = ""
    segments: list[Segment] | None = None


class Outer(msgspec.Struct):
    """An event's data around the inner one."""

    data: Delta = msgspec.field(default_factory=Delta)


_OUTER = msgspec.json.Decoder(Outer)


@dataclass(slots=True)
class Answer:
    """One turn as this client saw it. Times on the monotonic clock; `first` is 0 when no word came."""

    turn: str
    track: Track
    began: float
    first: float = 0.0
    ended: float = 0.0
    end: str = ""
    code: str = ""


@dataclass(slots=True)
class Follow:
    """One session at one client."""

    cursor: int = 0
    events: int = 0
    doubled: int = 0
    reordered: int = 0
    told_slow: int = 0
    unended: int = 0  # a turn that began before the one before it had ended
    now: Answer | None = None
    answers: list[Answer] = field(default_factory=list)
    keep: bool = True  # False: answers are dropped once ended, e.g. in a soak
    resuming: bool = False
    back_s: float = float("-inf")
    _seen: set[int] = field(default_factory=set)

    def back(self, now_s: float) -> None:
        """The client came back with its cursor: what was sent before now is replayed."""
        self.resuming, self.back_s = True, now_s

    def event(self, kind: str, number: int | None, raw: bytes | memoryview, now_s: float) -> Answer | None:
        """An event came. The answer that it ended, if it did."""
        if kind == "slow_client":
            self.told_slow += 1
            return None
        self.events += 1
        before = self.cursor
        if number is not None and not self._in_order(number):
            return None
        if kind == "llm_output_delta":
            self._words(raw, before, now_s)
        elif kind == "progress":
            self._begin(bytes(raw), now_s)
        elif kind in ENDS and b'"queued":true' not in bytes(raw):
            return self._end(kind, bytes(raw), now_s)
        return None

    def _in_order(self, number: int) -> bool:
        if number > self.cursor:
            self.cursor = number
            self._seen.add(number)
            return True
        if number in self._seen or self.resuming:
            self.doubled += 1
        else:
            self.reordered += 1
            self._seen.add(number)
            return True
        return False

    def _words(self, raw: bytes | memoryview, before: int, now_s: float) -> None:
        answer = self.now or self._answer("", now_s)
        data = _OUTER.decode(raw).data
        segments = data.segments
        text = data.delta if segments is None else "".join(each.delta for each in segments if each.event_id > before)
        if text:
            answer.first = answer.first or now_s
            answer.track.add(text, now_s, self.back_s)

    def _begin(self, raw: bytes, now_s: float) -> None:
        found = _TURN.search(raw)
        if found is None:
            return
        turn = found[1].decode()
        if self.now is not None and self.now.turn not in {"", turn}:
            self.unended += 1
            self.now = None
        if self.now is None:
            self._seen.clear()
            self._answer(turn, now_s)
        elif not self.now.turn:
            self.now.turn = turn

    def _answer(self, turn: str, now_s: float) -> Answer:
        self.now = Answer(turn, Track(), now_s)
        return self.now

    def _end(self, kind: str, raw: bytes, now_s: float) -> Answer:
        answer = self.now or self._answer("", now_s)
        answer.ended, answer.end = now_s, kind
        if kind == "error":
            answer.code = _code(raw)
        if self.keep:
            self.answers.append(answer)
        self.now, self.resuming = None, False
        return answer


class _Error(msgspec.Struct):
    code: str = ""


class _ErrorOuter(msgspec.Struct):
    data: _Error = msgspec.field(default_factory=_Error)


def _code(raw: bytes) -> str:
    try:
        return msgspec.json.decode(raw, type=_ErrorOuter).data.code
    except msgspec.DecodeError:
        return "UNREADABLE"
