"""Everything a run says: one method an event, with the fields and in the form that the contract gives it.

Which events are stored and which are shown live only is decided here and nowhere else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from evenkeel.hotpath.ports.event_writer import Draft, RunWriter
from evenkeel.serve.agent.models.calls import ToolCall
from evenkeel.serve.ports.runs import Usage


class Delta(msgspec.Struct, omit_defaults=True):
    """`llm_output_delta`: the one event that is made for every piece of text, so it is no dictionary."""

    delta: str = ""
    reasoning_delta: str = ""
    user_round: int = 0
    model_round: int = 0


def cancelled() -> Draft:
    """The last word of a run that was stopped."""
    return Draft("error", {"code": "CANCELLED", "message": "The run was cancelled."}, terminal=True)


def usage_of(usage: Usage) -> dict[str, int]:
    """As the contract writes it."""
    return {
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "total_tokens": usage.total_tokens,
    }


class Narrator:
    """The voice of one run. `model_round` is set as the run goes on; `ended` = its last word is on the way or was said;
    `text` = what was shown of the model round that streams now.
    """

    __slots__ = ("_run", "_ur", "ended", "model_round", "text")

    def __init__(self, run: RunWriter, user_round: int) -> None:
        self._run, self._ur = run, user_round
        self.model_round = 0
        self.ended = False
        self.text: list[str] = []

    async def _say(self, kind: str, data: dict[str, Any], *, stored: bool = True) -> None:
        data["user_round"] = self._ur
        data["model_round"] = self.model_round
        await self._run.emit(Draft(kind, data, stored))

    @property
    def user_round(self) -> int:
        """The number of this round."""
        return self._ur

    async def queue(self, kind: str, data: Mapping[str, Any]) -> None:
        """What the queue has to say while this run has the stream."""
        await self._run.emit(Draft(kind, dict(data)))

    async def started(self, question: str) -> None:
        """The first word."""
        data = {"stage": "start", "summary": "Request received.", "question": question, "user_round": self._ur}
        await self._run.emit(Draft("progress", data))

    async def resumed(self, attempt: int, kept_chars: int) -> None:
        """Another process goes on. Of the text of this model round, `kept_chars` characters were stored: what comes
        follows them.
        """
        summary = "The run was taken up by another process."
        await self._say(
            "progress", {"stage": "resume", "summary": summary, "attempt": attempt, "kept_chars": kept_chars}
        )

    async def asking(self) -> None:
        """A model call begins."""
        self.text = []
        await self._say("progress", {"stage": "llm_call", "summary": "Calling the model."})

    async def context(self, tokens: int, messages: int) -> None:
        """What will be sent."""
        await self._say("context_usage", {"context_tokens": tokens, "message_count": messages})

    async def quota(self, used: int, limit: int, date: str) -> None:
        """One model call was taken from the day's quota."""
        remaining = max(0, limit - used)
        await self._say(
            "quota_usage", {"consumed": 1, "daily_quota": limit, "used": used, "remaining": remaining, "date": date}
        )

    async def request(self, shown: Mapping[str, Any]) -> None:
        """What is asked, and of whom."""
        await self._say("llm_request", dict(shown))

    async def delta(self, text: str, reasoning: str) -> None:
        """Text as it comes."""
        self.text.append(text)
        size = len(text) + len(reasoning)
        await self._run.emit(
            Draft("llm_output_delta", Delta(text, reasoning, self._ur, self.model_round), text_bytes=size)
        )

    async def retrying(self, attempt: int, most: int, delay_s: float) -> None:
        """A model call failed and will be made again."""
        data = {"attempt": attempt, "max_attempts": most, "delay_s": round(delay_s, 3), "will_retry": True}
        await self._say("llm_stream_retry", data, stored=False)

    async def output(
        self,
        content: str,
        reasoning: str,
        usage: Usage,
        calls: Sequence[ToolCall],
        *,
        prefill_s: float | None,
        decode_s: float | None,
    ) -> None:
        """What the model said in all, and what it cost."""
        told = [{"id": call.call_id, "name": call.name, "arguments": call.arguments} for call in calls]
        timing = {"prefill_duration_s": prefill_s, "decode_duration_s": decode_s}
        await self._say(
            "llm_output",
            {
                "content": content,
                "reasoning": reasoning,
                "usage": usage_of(usage),
                "tool_calls": told or None,
                **timing,
            },
        )
        await self._say("token_usage", {**usage_of(usage), **timing}, stored=False)

    async def tool_call(self, tool: str, arguments: Mapping[str, Any]) -> None:
        """A tool is about to be called."""
        await self._say("tool_call", {"tool": tool, "args": dict(arguments)})

    async def tool_result(self, data: dict[str, Any]) -> None:
        """What it answered."""
        await self._say("tool_result", data)

    async def told(self, kind: str, data: Mapping[str, Any], *, stored: bool = True) -> None:
        """What a tool has to say beside its result: plan_update, question_panel, workspace_update, a2ui."""
        await self._say(kind, dict(data), stored=stored)

    async def final(
        self, answer: str, usage: Usage, total: Usage, stop_reason: str, extra: Mapping[str, object]
    ) -> None:
        """The end: the sum of the round, then the answer."""
        self.ended = True
        await self._run.emit(Draft("round_usage", {**usage_of(total), "user_round": self._ur}))
        data = {
            "answer": answer,
            "usage": usage_of(usage),
            "round_usage": usage_of(total),
            "stop_reason": stop_reason,
            **extra,
            "user_round": self._ur,
            "model_round": self.model_round,
        }
        await self._run.emit(Draft("final", data, terminal=True))

    async def stopped(self) -> None:
        """The end of a run that was cancelled. Whoever cancelled may have said it already: then `FencedError`."""
        self.ended = True
        await self._run.emit(cancelled())

    async def failed(self, code: str, message: str, detail: Mapping[str, object]) -> None:
        """The other end."""
        self.ended = True
        data: dict[str, object] = {"code": code, "message": message}
        if detail:
            data["detail"] = dict(detail)
        await self._run.emit(Draft("error", data, terminal=True))
