"""The chat log of a run: rows to messages and back. Rows keep neither of the two tool protocols, so that a session can
change its model; what a model is sent is made from them in the protocol of its settings.

Every row of a run carries a key made of its task and place, so a run that is taken up again doubles nothing. The user's
message is stored when the turn begins.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from evenkeel.hotpath.ports.chat_log import ChatLog, ChatMessage, LoggedMessage
from evenkeel.kernel.clock import Clock


class CallRow(msgspec.Struct, frozen=True):
    """A tool call as stored."""

    id: str
    name: str
    arguments: dict[str, Any]


class Meta(msgspec.Struct, frozen=True, omit_defaults=True):
    """Which run and round a row is of. `stopped` = the text is what came before the run was stopped."""

    run: str = ""
    user_round: int = 0
    model_round: int = 0
    stopped: bool = False


class Row(msgspec.Struct, frozen=True, omit_defaults=True):
    """The payload of a row. `parts` replaces `content` towards the model, for questions with pictures."""

    role: str
    content: str
    session_id: str
    timestamp: str
    reasoning_content: str = ""
    meta: Meta = Meta()
    tool_calls: tuple[CallRow, ...] = ()
    tool_call_id: str = ""
    name: str = ""
    ok: bool = True
    parts: tuple[dict[str, Any], ...] = ()
    questionPanel: dict[str, Any] = {}  # noqa: N815 the name that clients read


_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(Row)


@dataclass(frozen=True, slots=True)
class History:
    """One run's access to its session's chat log."""

    log: ChatLog
    clock: Clock
    session_id: str
    user_id: str
    run: str

    async def add(self, rows: Sequence[tuple[str, Row]]) -> None:
        """Store rows, each under its place in the run (`user`, `3.answer`, `3.tool.0`). Repeatable."""
        await self.log.append(
            [
                ChatMessage(
                    self.session_id, self.user_id, row.role, row.content, _ENCODER.encode(row), f"{self.run}:{place}"
                )
                for place, row in rows
            ]
        )

    async def window(self, limit: int) -> tuple[Row, ...]:
        """The newest rows, oldest first."""
        window = await self.log.window(self.session_id, self.user_id, limit=limit)
        return tuple(row_of(message) for message in window.messages)

    def row(self, role: str, content: str, meta: Meta, **more: Any) -> Row:
        """A row of this session, now."""
        now = datetime.fromtimestamp(self.clock.wall_s()).astimezone().isoformat(timespec="milliseconds")
        return Row(role, content, self.session_id, now, meta=meta, **more)


def row_of(message: LoggedMessage) -> Row:
    """A stored message; one that another program wrote counts as plain text."""
    try:
        return _DECODER.decode(message.payload)
    except msgspec.DecodeError:
        return Row(message.role, message.content, "", "")
