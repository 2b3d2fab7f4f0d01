"""Act: the tool calls of a round. All are announced, up to four run at once, results are told in the order of the calls."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import msgspec

from evenkeel.kernel.errors import EvenkeelError
from evenkeel.serve.agent.kit import Scene
from evenkeel.serve.agent.models.calls import ToolCall
from evenkeel.serve.agent.tools.kinds import Said, Tool, ToolResult
from evenkeel.serve.agent.tracing import executing

ARGUMENT_BYTES = 65_536
"""What an event shows of a call's arguments."""


@dataclass(frozen=True, slots=True)
class Done:
    """A call and what came of it: `text` goes back to the model."""

    call: ToolCall
    tool: Tool | None
    result: ToolResult
    text: str
    duration_s: float

    @property
    def ok(self) -> bool:
        """Whether the tool did what was asked."""
        return not self.result.error


async def act(scene: Scene, calls: Sequence[ToolCall]) -> list[Done]:
    """Every call has a result, whatever happened to it. Cancelling this cancels the calls."""
    for call in calls:
        tool = scene.tools.find(call.name)
        await scene.voice.tool_call(tool.title if tool else call.name, _shown(scene, call.arguments))
    gate = asyncio.Semaphore(scene.settings.tools.parallel)
    done: list[Done] = []
    started = scene.now()
    async with asyncio.TaskGroup() as group:
        work = [group.create_task(_called(scene, call, gate)) for call in calls]
        for task in work:
            one = await task
            done.append(replace(one, text=await _tell(scene, one)))
    scene.away_s += scene.now() - started
    return done


async def called_silently(scene: Scene, call: ToolCall, tool: Tool) -> ToolResult:
    """A tool that ends the turn without a word of its own; its events are said all the same."""
    result = await _result(scene, call, tool)
    for said in result.said:
        await _say(scene, said)
    return result


async def _called(scene: Scene, call: ToolCall, gate: asyncio.Semaphore) -> Done:
    tool = scene.tools.find(call.name)
    async with gate:
        started = scene.now()
        with executing(scene.kit.parts.spans, "unknown" if tool is None else tool.name, call.call_id) as span:
            result = await _result(scene, call, tool)
            if result.error:
                span.failed("tool_error")
        duration_s = scene.now() - started
    kind = "unknown" if tool is None else "mcp" if "@" in tool.name else "built_in"
    scene.kit.meter.called(kind, duration_s, ok=not result.error)
    return Done(call, tool, result, "", duration_s)


async def _result(scene: Scene, call: ToolCall, tool: Tool | None) -> ToolResult:
    """Never raises but for a cancel: a broken tool is the model's to deal with."""
    if call.problem:
        return ToolResult({}, call.problem)
    if tool is None:
        names = ", ".join(spec.name for spec in scene.tools.specs) or "none"
        return ToolResult({}, f"There is no tool {call.name!r}. Tools: {names}.")
    timeout_s = tool.timeout_s or scene.settings.tools.timeout_s
    try:
        async with asyncio.timeout(timeout_s):
            return await tool.call(call.arguments, scene.place)
    except TimeoutError:
        scene.kit.meter.timed_out("tool")
        return ToolResult({}, f"{tool.name} did not answer within {timeout_s:g} s.")
    except EvenkeelError as error:
        return ToolResult({}, str(error))
    except Exception as error:  # a tool's own fault must not end the turn
        return ToolResult({}, f"{tool.name} failed: {type(error).__name__}.")


async def _tell(scene: Scene, done: Done) -> str:
    """The result's events, and the text for the model: cut once, the same for both."""
    lean, bound = scene.kit.parts.lean, scene.settings.tools.result_bytes
    for said in done.result.said:
        await _say(scene, said)
    encoded = lean.encode(done.result.data)
    truncated = len(encoded) > bound
    data: object = done.result.data
    shown: object = msgspec.Raw(encoded)  # the event takes what is encoded already
    if truncated:
        data = shown = {"truncated_json": lean.cut(encoded.decode(), bound).text}
    name = done.tool.title if done.tool else done.call.name
    event: dict[str, Any] = {"tool": name, "ok": done.ok, "data": shown, "timestamp": _timestamp(scene)}
    answer: dict[str, Any] = {"tool": done.tool.name if done.tool else done.call.name, "ok": done.ok, "data": data}
    if done.result.error:
        error = lean.cut(done.result.error, bound).text
        event["error"] = answer["error"] = error
    event["meta"] = {
        "duration_ms": round(done.duration_s * 1000),
        "truncated": truncated,
        "output_chars": len(encoded),
        **done.result.meta,
    }
    await scene.voice.tool_result(event)
    for said in done.result.after:
        await _say(scene, said)
    return lean.encode(answer).decode()


async def _say(scene: Scene, said: Said) -> None:
    await scene.voice.told(said.kind, said.data, stored=said.stored)


def _shown(scene: Scene, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
    encoded = scene.kit.parts.lean.encode(arguments)
    if len(encoded) <= ARGUMENT_BYTES:
        return arguments
    return {"truncated_json": scene.kit.parts.lean.cut(encoded.decode(), ARGUMENT_BYTES).text}


def _timestamp(scene: Scene) -> str:
    return datetime.fromtimestamp(scene.kit.parts.clock.wall_s()).astimezone().isoformat(timespec="milliseconds")
