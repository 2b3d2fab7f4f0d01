"""Tools that end a turn, and the plan: they touch nothing outside, they say something."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from evenkeel.serve.agent.models.calls import ToolSpec
from evenkeel.serve.agent.tools.kinds import (
    Place,
    Said,
    Tool,
    ToolProblemError,
    ToolResult,
    schema,
    string,
    text_of,
)

STATES = ("pending", "in_progress", "completed")
STEPS = 100


async def _final(arguments: Mapping[str, Any], _: Place) -> ToolResult:
    return ToolResult({"answer": text_of(arguments, "content", "answer", "text", default="")})


async def _a2ui(arguments: Mapping[str, Any], _: Place) -> ToolResult:
    messages = arguments.get("a2ui", arguments.get("messages"))
    if not isinstance(messages, (list, dict)):
        raise ToolProblemError("The argument 'a2ui' must be a list of messages.")
    uid = text_of(arguments, "uid", default="")
    content = text_of(arguments, "content", default="")
    shown = {"uid": uid, "a2ui": messages, "content": content}
    return ToolResult({"answer": content, "uid": uid, "a2ui": messages}, said=(Said("a2ui", shown, stored=False),))


async def _question(arguments: Mapping[str, Any], _: Place) -> ToolResult:
    question = text_of(arguments, "question", "title", default="")
    options = arguments.get("options", arguments.get("routes", []))
    if not isinstance(options, list):
        raise ToolProblemError("The argument 'options' must be a list.")
    if not question and not options:
        raise ToolProblemError("The argument 'question' is missing.")
    panel = {
        "question": question,
        "routes": [_route(option) for option in options],
        "multiple": bool(arguments.get("multiple")),
    }
    return ToolResult({"question": question, "panel": panel}, said=(Said("question_panel", panel),))


def _route(option: object) -> dict[str, Any]:
    if isinstance(option, Mapping):
        label = option.get("label", option.get("title", ""))
        return {
            "label": str(label),
            "description": str(option.get("description", "")),
            "recommended": bool(option.get("recommended")),
        }
    return {"label": str(option), "description": "", "recommended": False}


async def _plan(arguments: Mapping[str, Any], _: Place) -> ToolResult:
    steps = arguments.get("plan", arguments.get("steps"))
    if not isinstance(steps, list) or not steps:
        raise ToolProblemError("The argument 'plan' must be a list of steps.")
    plan = [_step(step) for step in steps[:STEPS]]
    told = {"explanation": text_of(arguments, "explanation", default=""), "plan": plan}
    return ToolResult({"steps": len(plan)}, said=(Said("plan_update", told),))


def _step(step: object) -> dict[str, str]:
    if isinstance(step, str):
        return {"step": step, "status": "pending"}
    if not isinstance(step, Mapping) or not isinstance(step.get("step"), str):
        raise ToolProblemError("Each step of the plan must be a text, or {'step': …, 'status': …}.")
    status = step.get("status", "pending")
    if status not in STATES:
        raise ToolProblemError(f"The status of a step is one of {', '.join(STATES)}.")
    return {"step": step["step"], "status": status}


FINAL = Tool(
    ToolSpec(
        "final_response",
        "Give the final answer and end the turn.",
        schema(("content",), content=string("The whole answer for the user.")),
    ),
    _final,
    aliases=("最终回复", "final_answer"),
    ends="final_tool",
    silent=True,
)
A2UI = Tool(
    ToolSpec(
        "a2ui",
        "Show an A2UI surface to the user and end the turn.",
        schema(("a2ui",), uid=string("Id of the surface."), a2ui={"type": "array"}, content=string("Text beside it.")),
    ),
    _a2ui,
    ends="a2ui",
    silent=True,
)
QUESTION = Tool(
    ToolSpec(
        "question_panel",
        "Ask the user to choose, and wait for the answer: ends the turn.",
        schema(
            ("question",),
            question=string("What to decide."),
            options={"type": "array", "items": {"type": "string"}},
            multiple={"type": "boolean"},
        ),
    ),
    _question,
    aliases=("问询面板", "ask_panel"),
    shown="问询面板",
    ends="question_panel",
)
PLAN = Tool(
    ToolSpec(
        "update_plan",
        "Show or update the plan: the steps and how far each is.",
        schema(
            ("plan",),
            plan={
                "type": "array",
                "items": schema(
                    ("step", "status"), step=string("What."), status={"type": "string", "enum": list(STATES)}
                ),
            },
            explanation=string("Why it changed."),
        ),
    ),
    _plan,
    aliases=("计划面板", "plan_panel"),
    shown="计划面板",
)
ENDINGS = (FINAL, A2UI, QUESTION, PLAN)
