"""What the simulated model answers, and when: drawn from distributions by a seed, or ordered by words in the question.

A question that a load client asks carries `turn=ID` and what else it wants, e.g. `turn=a1-7 tokens=40 tools=1 ttft=500`.
The same seed, turn and call always give the same answer at the same pace.
"""

from __future__ import annotations

import math
import random
import re
from dataclasses import dataclass, field

import msgspec

_WORDS = re.compile(r"\b(turn|tokens|tools|ttft|gap|hold|fault|tool)=([\w.:-]+)")
FAULTS = ("429", "500", "stall", "cut")


@dataclass(frozen=True, slots=True)
class Pace:
    """Distributions of a model's speed. Defaults are a fast hosted model: half a second to the first token, 40 tokens/s."""

    first_token_s: float = 0.5  # median; log-normal
    first_token_sigma: float = 0.35
    gap_s: float = 0.025  # mean between tokens; gamma
    gap_shape: float = 4.0
    tokens: int = 40  # mean; geometric-like tail, at least 4
    tool_tokens: int = 12
    fault_rates: tuple[tuple[str, float], ...] = ()


class Message(msgspec.Struct):
    """A message as the server sends it; content may be text or parts."""

    role: str = ""
    content: str | list[dict[str, object]] | None = None


class Named(msgspec.Struct):
    """The name of a tool."""

    name: str = ""


class Tool(msgspec.Struct):
    """A tool on offer."""

    function: Named = msgspec.field(default_factory=Named)


class Request(msgspec.Struct):
    """The part of a chat completion request that matters here."""

    messages: list[Message] = []
    stream: bool = False
    tools: list[Tool] = []
    model: str = "simulated"


@dataclass(frozen=True, slots=True)
class Script:
    """One answer. `gaps` are seconds before each token; the first is the time to the first token."""

    turn: str
    call: int  # which model call of the turn, from 0
    gaps: tuple[float, ...]
    tool: str = ""  # call this tool instead of answering
    as_text: bool = False  # the tool call is written as text: no tools came with the request
    fault: str = ""
    hold: str = ""  # wait for this gate first


@dataclass(slots=True)
class Asked:
    """What the question said."""

    words: dict[str, str] = field(default_factory=dict)
    call: int = 0


def asked(request: Request) -> Asked:
    """The last question that names a turn, and how many tool results came after it."""
    results = 0
    for message in reversed(request.messages):
        content = text_of(message)
        if message.role == "user" and "turn=" in content and not content.startswith("tool_response:"):
            return Asked(dict(_WORDS.findall(content)), results)
        results += message.role == "tool" or content.startswith("tool_response:")
    return Asked({}, results)


def text_of(message: Message) -> str:
    """The text of a message, whatever its form."""
    if isinstance(message.content, list):
        return " ".join(str(part.get("text", "")) for part in message.content)
    return message.content or ""


def script(request: Request, pace: Pace, seed: int, unnamed: str) -> Script:
    """What to answer. `unnamed` is the turn of a question that names none."""
    question = asked(request)
    words = question.words
    turn = words.get("turn", unnamed)
    chance = random.Random(f"{seed}:{turn}:{question.call}")  # noqa: S311 - a simulation, not secrets
    wants_tool = question.call < int(words.get("tools", "0"))
    mean_tokens = pace.tool_tokens if wants_tool else pace.tokens
    count = int(words["tokens"]) if "tokens" in words and not wants_tool else _count(chance, mean_tokens)
    first = float(words["ttft"]) / 1e3 if "ttft" in words else pace.first_token_s
    gap = float(words["gap"]) / 1e3 if "gap" in words else pace.gap_s
    return Script(
        turn=turn,
        call=question.call,
        gaps=(
            first * math.exp(chance.gauss(0, pace.first_token_sigma)),
            *_gaps(chance, count - 1, gap, pace.gap_shape),
        ),
        tool=_tool(request, words.get("tool", "")) if wants_tool else "",
        as_text=not request.tools,
        fault=_fault(chance, words.get("fault", ""), pace, question.call),
        hold=words.get("hold", "") if question.call == 0 else "",
    )


def _count(chance: random.Random, mean: int) -> int:
    return max(4, min(8 * mean, round(chance.gammavariate(2.0, mean / 2.0))))


def _gaps(chance: random.Random, count: int, mean_s: float, shape: float) -> list[float]:
    return [chance.gammavariate(shape, mean_s / shape) for _ in range(max(0, count))] if mean_s else [0.0] * count


def _tool(request: Request, wanted: str) -> str:
    offered = [each.function.name for each in request.tools]
    return wanted if not offered or wanted in offered else offered[0]


def _fault(chance: random.Random, ordered: str, pace: Pace, call: int) -> str:
    if ordered and call == 0:
        return ordered
    drawn = chance.random()
    for name, rate in pace.fault_rates:
        drawn -= rate
        if drawn < 0:
            return name
    return ""
