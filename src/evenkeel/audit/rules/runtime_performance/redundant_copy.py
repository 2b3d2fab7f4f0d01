"""A copy of what is only read

`deepcopy`, `.copy()`, `list(...)` or `dict(...)` makes a second one of something that nobody changes, neither the copy
nor the original while the copy is in use: a message list cloned before it is logged, a document copied to look up two
fields.

**Why it costs.** `copy.deepcopy` walks every object in Python and keeps a memo of all it has seen
(https://docs.python.org/3/library/copy.html#copy.deepcopy): 1,000 chat messages of three fields take 1.6 ms, a new list
of the same messages takes 0.8 µs (CPython 3.11, 2.5 GHz). Shallow copies are cheap, but a copy per message of a stream
is garbage per message.

**Do instead.** Read the original. For logs, summarise by reference and cut long texts once, early
(`evenkeel.hotpath.lean`); where one field is to be changed, copy that level alone.

**Leave it when** another task or thread may change the original while the copy is read, or the copy is handed to code
that changes it. Both count as a need here: a copy is reported only if everything that happens to it is known to read,
and nothing between the copy and its last use can change the original.

```python flags
import copy
import json
import logging
from fastapi import FastAPI

app = FastAPI()
log = logging.getLogger(__name__)

def summary(messages: list[dict[str, str]]) -> int:
    return sum(len(each["text"]) for each in messages)

@app.post("/chat")
async def chat(messages: list[dict[str, str]]) -> int:
    log.info("messages %s", copy.deepcopy(messages))  # flagged
    body = json.dumps(copy.deepcopy(messages))  # flagged
    snapshot = copy.deepcopy(messages)  # flagged
    for message in copy.deepcopy(messages):  # flagged
        log.debug("message %s", message["text"])
    return summary(snapshot) + len(body)

def count(words: dict[str, int]) -> int:
    own = words.copy()  # flagged
    total = 0
    for word in own:
        total = max(total, own[word])
    return total
```

```python passes
import copy
import json

def redacted(message: dict[str, str]) -> dict[str, str]:
    shown = copy.deepcopy(message)
    shown["text"] = "..."
    return shown

def expire(sessions: dict[str, float], now: float) -> None:
    for name in list(sessions):
        if sessions[name] < now:
            del sessions[name]

class Bus:
    def __init__(self) -> None:
        self.readers: list = []

    async def publish(self, text: str) -> None:
        for reader in list(self.readers):
            await reader.send(text)

    def snapshot(self) -> list:
        return list(self.readers)

def enriched(event: dict[str, str], client) -> None:
    body = event.copy()
    client.send(body)
    original = copy.deepcopy(event)
    event["sent"] = "yes"
    print(json.dumps(original))

def unique(rows) -> list[int]:
    found = list(rows)
    return [each.id for each in found]
```
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

from evenkeel.audit.model.context import ContextStore
from evenkeel.audit.model.copies import READERS, has_plain_elements, is_local, is_only_read, is_steady, uses_of
from evenkeel.audit.model.facts import Value, root_of
from evenkeel.audit.model.finding import Confidence, Finding
from evenkeel.audit.model.index import Link
from evenkeel.audit.model.masks import mask_of
from evenkeel.audit.model.once import runs_once
from evenkeel.audit.model.rule import Rule
from evenkeel.audit.model.view import CallView, FunctionView, ModuleView

RULE = Rule(title="A copy of what is only read", severity="MEDIUM", needs=frozenset({"copy"}))

COPIES = mask_of("copy")
COPIERS = frozenset({"deepcopy", "copy", "model_copy"})
CONTAINERS = frozenset({"list", "dict", "set"})  # copy when they are given one of their kind, else convert
CONSUMERS = frozenset({"any", "all", "set", "frozenset", "sorted", "tuple", "list", "sum", "min", "max"})


class Copy(NamedTuple):
    """A call that copies: what it copies, and whether all the way down."""

    call: CallView
    source: str
    deep: bool


def check(module: ModuleView, context: ContextStore) -> Iterator[Finding]:
    """One finding for each copy that protects nobody."""
    del context
    for function in module.functions_reaching(*RULE.needs):
        if not runs_once(function.info):
            for call in function.calls_fitting(COPIES, partial(_may_copy, function)):
                copied = _copy(function, call)
                confidence = _is_redundant(function, copied) if copied is not None else None
                if copied is not None and confidence is not None:
                    yield _finding(function, copied, confidence)


def _may_copy(function: FunctionView, link: Link) -> bool:
    """Whether a call copies at all: a container, one of its own kind. Told before any code is decoded."""
    if not any(each.kind == "copy" for each in link.effects):
        return False
    return link.library not in CONTAINERS or any(
        each.partition("[")[0] == link.library for _, each in function.linked.types
    )


def _copy(function: FunctionView, call: CallView) -> Copy | None:
    effect = call.effect("copy")
    plain = all(each.keyword in {"", "deep", "x"} for each in call.fact.arguments) and len(call.fact.arguments) <= 1
    if effect is None or not plain or call.link.implicit:
        return None
    argument = _unwrapped(function, call.argument(0) or call.argument(-1, "x"))
    if call.name in COPIERS:
        source = argument.text if argument is not None and argument.kind == "name" else ""
        if not call.holder or call.library.startswith("copy."):
            return Copy(call, source, effect.detail == "deep") if source else None
        deep = effect.detail == "deep" or call.argument(-1, "deep") is not None
        return Copy(call, call.holder, deep) if not call.holder.startswith("<") else None
    if call.library not in CONTAINERS or argument is None or argument.kind != "name":
        return None
    same_kind = function.types.get(argument.text, "").partition("[")[0] == call.library
    return Copy(call, argument.text, False) if same_kind else None


def _unwrapped(function: FunctionView, value: Value | None) -> Value | None:
    """`deepcopy(list(messages))` copies the messages."""
    made = function.call(value.call) if value is not None and value.kind == "call" else None
    return made.argument(0) if made is not None and made.library in CONTAINERS and not made.loops else value


def _is_redundant(function: FunctionView, copied: Copy) -> Confidence | None:
    """How sure it is that the copy protects nobody; None when it may be needed."""
    call = copied.call
    parent = call.parent
    if parent is not None:
        number = next((n for n, each in enumerate(parent.fact.arguments) if each.value.call == call.index), -1)
        if copied.deep and number >= 0 and is_only_read(parent, number):
            return "likely"
        reads = parent.has("log") or (parent.library in READERS and parent.library not in CONSUMERS)
        if not reads or (parent.library == "len" and not copied.deep):
            return None
        return "needs-context" if _is_shared(function, copied) else "definite"
    block = next((b for b in function.fact.blocks if b.subject is not None and b.subject.call == call.index), None)
    if block is not None and block.kind in {"for", "comprehension"}:
        return _of_loop(function, copied, block.targets, block.start, block.end)
    given = [each for each in function.fact.assignments if each.value.call == call.index and each.value.kind == "call"]
    if len(given) == 1 and len(given[0].targets) == 1 and given[0].targets[0].isidentifier():
        return _of_variable(function, copied, given[0].targets[0], given[0].position)
    return None


def _is_shared(function: FunctionView, copied: Copy) -> bool:
    """Whether another thread may hold the original too: plain functions run in any thread, coroutines in the loop's. A
    flat copy is made in one step, so that it protects; a deep one walks through what is changed meanwhile."""
    return not copied.deep and not function.is_async and not is_local(function, root_of(copied.source))


def _of_loop(function: FunctionView, copied: Copy, targets: tuple[str, ...], start: int, end: int) -> Confidence | None:
    """`for x in deepcopy(xs)`: nothing changes the elements, and nothing the original while the loop runs."""
    if not copied.deep:
        return None  # a snapshot may guard against what is added meanwhile
    uses = uses_of(function, targets, start)
    return "likely" if uses.only_reads and is_steady(function, copied.source, start, end) else None


def _of_variable(function: FunctionView, copied: Copy, name: str, position: int) -> Confidence | None:
    bound = [each for each in function.fact.assignments if name in each.targets]
    converts = copied.call.library in CONTAINERS and copied.source == name  # what came in may be of another kind
    shared = not copied.deep and not is_local(function, root_of(copied.source))
    if len(bound) > 1 or converts or shared:
        return None
    plain = not copied.deep and has_plain_elements(function.types.get(copied.source, ""))
    uses = uses_of(function, {name}, position, plain=plain)
    if uses.last <= position or not uses.only_reads:
        return None
    same = root_of(copied.source) == name  # `messages = deepcopy(messages)`: the original is out of reach
    return "likely" if same or is_steady(function, copied.source, position, uses.last) else None


def _finding(function: FunctionView, copied: Copy, confidence: Confidence) -> Finding:
    hot = function.info.hot
    how = "clones all of" if copied.deep else "copies"
    return copied.call.finding(
        "MEDIUM" if copied.deep or hot else "LOW",
        f"`{function.fact.name}` {how} `{copied.source}` with `{copied.call.written}`, and the copy is only read",
        "Read the original; for logs summarise by reference and cut long texts (evenkeel.hotpath.lean)."
        if copied.deep
        else "Read the original.",
        effort="S",
        confidence=confidence,
        settled_by="whether another thread changes it meanwhile" if confidence == "needs-context" else "",
    )
