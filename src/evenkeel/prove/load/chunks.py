"""What a chat completion looks like on the wire: chunks of an answer or of a tool call, as OpenAI's API has them."""

from __future__ import annotations

import time
from itertools import pairwise

import msgspec

from evenkeel.prove.load.script import Script


def pieces(plan: Script) -> list[bytes]:
    """Parts of a tool call, one a token; nothing for an answer in words."""
    if not plan.tool:
        return []
    text = tool_text(plan) if plan.as_text else msgspec.json.encode(_arguments(plan)).decode()
    count = len(plan.gaps)
    bounds = [len(text) * number // count for number in range(count + 1)]
    parts = [text[one:other] for one, other in pairwise(bounds)]
    if plan.as_text:
        return [msgspec.json.encode(part)[1:-1] for part in parts]
    call = {"index": 0, "id": f"call_{plan.turn}_{plan.call}", "type": "function"}
    first = {**call, "function": {"name": plan.tool, "arguments": parts[0]}}
    return [
        msgspec.json.encode([first if not number else {"index": 0, "function": {"arguments": part}}])
        for number, part in enumerate(parts)
    ]


def chunk_ends(plan: Script) -> tuple[bytes, bytes]:
    """What stands before and after each piece."""
    start = msgspec.json.encode(
        {
            "id": f"chatcmpl-{plan.turn}",
            "object": "chat.completion.chunk",
            "created": int(time.time()),
            "model": "simulated",
        }
    )[:-1]
    key = b'"tool_calls":' if plan.tool and not plan.as_text else b'"content":"'
    close = b"" if plan.tool and not plan.as_text else b'"'
    head = b"data: " + start + b',"choices":[{"index":0,"delta":{' + key
    return head, close + b'},"finish_reason":null}]}\n\n'


def last_chunks(plan: Script) -> bytes:
    """The end of the choice, the usage, and the end of the stream."""
    reason = "tool_calls" if plan.tool and not plan.as_text else "stop"
    base = {
        "id": f"chatcmpl-{plan.turn}",
        "object": "chat.completion.chunk",
        "created": int(time.time()),
        "model": "simulated",
    }
    end = {**base, "choices": [{"index": 0, "delta": {}, "finish_reason": reason}]}
    counted = {**base, "choices": [], "usage": usage(plan)}
    return b"".join(b"data: " + msgspec.json.encode(each) + b"\n\n" for each in (end, counted)) + b"data: [DONE]\n\n"


def usage(plan: Script) -> dict[str, int]:
    """Token counts."""
    return {"prompt_tokens": 100, "completion_tokens": len(plan.gaps), "total_tokens": 100 + len(plan.gaps)}


def _arguments(plan: Script) -> dict[str, object]:
    return {"text": f"turn {plan.turn}"}


def tool_call(plan: Script) -> dict[str, object]:
    """The whole call, for an answer that is not streamed."""
    function = {"name": plan.tool, "arguments": msgspec.json.encode(_arguments(plan)).decode()}
    return {"id": f"call_{plan.turn}_{plan.call}", "type": "function", "function": function}


def tool_text(plan: Script) -> str:
    """The call as a model writes it that was given no tools."""
    call = {"name": plan.tool, "arguments": _arguments(plan)}
    return f"<tool_call>{msgspec.json.encode(call).decode()}</tool_call>"
