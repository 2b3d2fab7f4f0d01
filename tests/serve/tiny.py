"""A very small agent: says a fixed answer word by word, as long as it is let. For tests of what stands around it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from evenkeel.hotpath.ports.bus import Live, Replayed
from evenkeel.hotpath.ports.cancellation import CancelledBy
from evenkeel.hotpath.ports.chat_log import ChatMessage
from evenkeel.hotpath.ports.event_writer import Draft, RunWriter
from evenkeel.hotpath.ports.limiter import Admission, Grant, Refusal
from evenkeel.hotpath.ports.sessions import NewSession
from evenkeel.serve.channels.replies import Replies
from evenkeel.serve.ports.failures import RunFailedError, RunRefusedError
from evenkeel.serve.ports.parts import Parts
from evenkeel.serve.ports.requests import RunRequest
from evenkeel.serve.ports.runs import Answer, Begun, Queued, Runs, RunState, Usage
from evenkeel.serve.settings import Settings

WORDS = ("Once ", "upon ", "a ", "time.")
TOKENS = {"input_tokens": 3, "output_tokens": 4, "total_tokens": 7}


@dataclass
class TinyRuns:
    """`Runs`. A question of the form `slow:N` pauses before each of N words until `gate` is set."""

    parts: Parts
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    works: set[asyncio.Task[None]] = field(default_factory=set)

    async def submit(self, request: RunRequest) -> Begun | Queued:
        parts, session_id = self.parts, request.session_id or f"sess_{secrets.token_hex(8)}"
        await parts.storage.sessions.ensure(NewSession(session_id, request.user_id, ""))
        if request.question == "refuse":
            raise RunRefusedError("LLM_UNAVAILABLE", "There is no model.")
        owner = secrets.token_hex(8)
        grant = await parts.limiter.try_admit(Admission(session_id, request.user_id, owner))
        if isinstance(grant, Refusal):
            if request.allow_queue:
                return Queued(session_id, "task_1", f"thread_{session_id}")
            raise RunRefusedError("USER_BUSY", "The session is busy.")
        number = await parts.storage.sessions.next_round(session_id, request.user_id, request.question[:20])
        subscription = await parts.bus.subscribe(None, session_id)
        task = asyncio.get_running_loop().create_task(self._work(request, session_id, number, grant, owner))
        self.works.add(task)
        task.add_done_callback(self.works.discard)
        return Begun(session_id, number, subscription)

    async def _work(self, request: RunRequest, session_id: str, number: int, grant: Grant, owner: str) -> None:
        with self.parts.cancellation.token(session_id, owner) as token:
            run = await self.parts.writer.begin(session_id, request.user_id)
            me = asyncio.current_task()
            assert me is not None

            def stop(_by: CancelledBy) -> None:
                me.cancel()

            token.on_cancel(stop)
            try:
                await self._say(run, request, session_id, number)
            except asyncio.CancelledError:
                pass
            finally:
                with contextlib.suppress(Exception):
                    await run.close()
                await grant.release()

    async def _say(self, run: RunWriter, request: RunRequest, session_id: str, number: int) -> None:
        start = {"stage": "start", "summary": "start", "question": request.question, "user_round": number}
        await run.emit(Draft("progress", start))
        words: Sequence[str] = WORDS
        if request.question.startswith("slow:"):
            words = [f"w{index} " for index in range(int(request.question.partition(":")[2]))]
        for index, word in enumerate(words):
            if request.question.startswith("slow:") and index == len(words) // 2:
                await self.gate.wait()
            delta = {"delta": word, "user_round": number, "model_round": 1}
            await run.emit(Draft("llm_output_delta", delta, text_bytes=len(word)))
        await run.emit(Draft("token_usage", TOKENS, stored=False))
        answer = "".join(words)
        await self.parts.storage.chat.append([
            ChatMessage(session_id, request.user_id, role, text, json.dumps({"role": role, "content": text}).encode())
            for role, text in (("user", request.question), ("assistant", answer))
        ])  # fmt: skip
        if request.question == "fail":
            await run.emit(Draft("error", {"code": "INTERNAL_ERROR", "message": "It failed."}, terminal=True))
            return
        final = {"answer": answer, "usage": TOKENS, "stop_reason": "model_response", "user_round": number}
        await run.emit(Draft("final", final, terminal=True))

    async def outcome(self, begun: Begun) -> Answer:
        try:
            async for delivery in begun.subscription:
                for event in delivery.events if isinstance(delivery, (Live, Replayed)) else ():
                    if event.terminal:
                        return self._answer(begun.session_id, json.loads(event.payload))
        finally:
            await begun.subscription.aclose()
        raise AssertionError("no terminal event")

    @staticmethod
    def _answer(session_id: str, event: dict[str, dict[str, dict[str, str]]]) -> Answer:
        inner = event["data"]["data"]
        if "code" in inner:
            raise RunFailedError(inner["code"], inner["message"])
        return Answer(session_id, inner["answer"], Usage(3, 4, 7), inner["stop_reason"])

    async def cancel(self, session_id: str, by: CancelledBy = CancelledBy.USER) -> bool:
        report = await self.parts.cancellation.cancel(session_id, by)
        return report.signalled or report.woke

    async def tools(self) -> Sequence[tuple[str, str]]:
        return [("nothing", "Does nothing.")]

    async def prompt(self, request: RunRequest) -> str:
        return f"Say the words. Tools: {', '.join(request.tool_names) or 'all'}."

    async def states(self, session_ids: Sequence[str]) -> dict[str, RunState]:
        held = await self.parts.storage.leases.live(session_ids)
        return {each: RunState.RUNNING if each in held else RunState.IDLE for each in session_ids}


@asynccontextmanager
async def tiny_agent(parts: Parts, _settings: Settings, _replies: Replies) -> AsyncIterator[Runs]:
    """The tiny agent, with an open queue, as the real one has it."""
    runs = TinyRuns(parts)
    async with parts.open_tasks():
        try:
            yield runs
        finally:
            runs.gate.set()
            if runs.works:
                await asyncio.wait(runs.works)
