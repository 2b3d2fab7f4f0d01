"""What the built-in model understands: phrases to tool calls and answers. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from evenkeel.serve.agent.models.calls import ToolSpec

Arguments = Mapping[str, Any]
Reader = Callable[[re.Match[str]], Arguments]
WORDS = ("evenkeel", "keeps", "an", "even", "keel", "under", "load", "and", "says", "so", "word", "by")
MOST_WORDS = 20_000
SHOWN_CHARS = 4_000


def _path(match: re.Match[str]) -> Arguments:
    return {"path": match["path"]}


def _written(match: re.Match[str]) -> Arguments:
    return {"path": match["path"], "content": match["content"]}


def _searched(match: re.Match[str]) -> Arguments:
    return {"query": match["query"].strip()}


def _nothing(_: re.Match[str]) -> Arguments:
    return {}


def _planned(match: re.Match[str]) -> Arguments:
    steps = [step.strip() for step in re.split(r"[,;，；]", match["steps"]) if step.strip()]
    return {"plan": [{"step": step, "status": "pending"} for step in steps or ["think", "act", "answer"]]}


def _asked(match: re.Match[str]) -> Arguments:
    return {"question": match["question"].strip() or "How shall I go on?", "options": ["yes", "no"]}


def _final(match: re.Match[str]) -> Arguments:
    return {"content": match["content"].strip()}


_PHRASES: tuple[tuple[str, str, Reader], ...] = (
    (r"list (?:the |all |my )?files|列出文件", "list_files", _nothing),
    (r"read (?:the )?file [\"']?(?P<path>[^\s\"']+)|读取文件\s*(?P<path2>\S+)", "read_file", _path),
    (r"write [\"'](?P<content>[^\"']*)[\"'] (?:to|into) (?:the )?(?:file )?(?P<path>\S+)", "write_file", _written),
    (r"search (?:files )?for (?P<query>.+)", "search_files", _searched),
    (r"make a plan:?\s*(?P<steps>.*)", "update_plan", _planned),
    (r"ask me:?\s*(?P<question>.*)", "question_panel", _asked),
    (r"answer finally:?\s*(?P<content>.+)", "final_response", _final),
)
_PATTERNS = tuple(
    (re.compile(pattern.replace("path2", "other"), re.IGNORECASE), tool, read) for pattern, tool, read in _PHRASES
)
_CALL = re.compile(r"call (?P<tool>[\w@.-]+)\s*(?P<arguments>\{.*\})?", re.IGNORECASE | re.DOTALL)
_SAY = re.compile(r"(?:say|write) (?P<count>\d+) words", re.IGNORECASE)
_ECHO = re.compile(r"(?:echo|重复)[:：]?\s*(?P<text>.+)", re.IGNORECASE | re.DOTALL)


def wanted_call(question: str, tools: Sequence[ToolSpec]) -> tuple[str, Arguments] | None:
    """The tool that the question asks for, if it is among those that may be called."""
    names = {spec.name for spec in tools}
    asked = _CALL.search(question)
    if asked is not None and asked["tool"] in names:
        return asked["tool"], _decoded(asked["arguments"])
    for pattern, tool, read in _PATTERNS:
        match = pattern.search(question)
        if match is not None and tool in names:
            if "other" in match.re.groupindex and match["other"]:
                return tool, {"path": match["other"]}
            return tool, read(match)
    return None


def _decoded(text: str | None) -> Arguments:
    try:
        value = msgspec.json.decode(text or "{}")
    except msgspec.DecodeError:
        return {}
    return value if isinstance(value, dict) else {}


def answer_to(question: str, results: Sequence[str], name: str) -> str:
    """The same question and results give the same answer."""
    if results:
        shown = "\n\n".join(result[:SHOWN_CHARS] for result in results)
        return f"Done. This is what came back:\n\n{shown}"
    said = _SAY.search(question)
    if said is not None:
        count = min(int(said["count"]), MOST_WORDS)
        return " ".join(f"{WORDS[number % len(WORDS)]}{number}" for number in range(count))
    echo = _ECHO.search(question)
    if echo is not None:
        return echo["text"].strip()
    if re.search(r"[\u4e00-\u9fff]", question):
        return (
            f"我是 evenkeel 内置的离线模型({name}),不需要网络。你的问题是:{question.strip()[:200]}\n\n"
            "我能理解:列出文件、读取文件 <路径>、重复: <文字>。要得到真正的回答,请在设置 agent.models 中配置一个"
            "兼容 OpenAI 的模型,并用 agent.model 选择它。"
        )
    return (
        f"I am {name}, the model that is built into evenkeel: no network, the same answer every time. "
        f"You asked: {question.strip()[:200]}\n\n"
        "I understand: list files; read file <path>; write '<text>' to <path>; search for <text>; "
        "make a plan: <steps>; ask me: <question>; say <n> words; echo: <text>; call <tool> {arguments}.\n\n"
        "For real answers configure an OpenAI-compatible endpoint under agent.models and name it in agent.model."
    )
