"""A string grown piece by piece in a loop

`self.text += piece`, `rows[key] += piece` or `data += chunk` on bytes, once per element of a loop. Each step copies
everything that is there already.

**Why it costs.** The work is quadratic: 20,000 pieces of 40 characters took 1.6 s onto an attribute, 0.27 s onto a
dict element or bytes, and 1 ms onto a local `str` or a `bytearray` (CPython 3.11). CPython extends a string in place
only when a local variable holds the one reference to it
(https://docs.python.org/3/library/stdtypes.html#common-sequence-operations, note 6).

**Do instead.** Collect the pieces in a list and join them once; for bytes use `bytearray` or `io.BytesIO`. For a
streamed answer, `evenkeel.hotpath.writes` batches the pieces and appends events instead of rewriting the text.

**Leave it when** the loop runs a few times only, or each step belongs to another string. A local `str` is not
reported: there `+=` is linear in CPython. Where the elements of a container grow, the finding is `likely`, because the
key may differ each time.

```python flags
class Transcript:
    def __init__(self) -> None:
        self.text = ""

    def add_all(self, pieces: list[str]) -> None:
        for piece in pieces:
            self.text += piece  # flagged

    def add_lines(self, lines: list[str]) -> None:
        for line in lines:
            self.text = self.text + line + "\\n"  # flagged

def receive(connection) -> bytes:
    data = b""
    while True:
        chunk = connection.recv(4096)
        if not chunk:
            return data
        data += chunk  # flagged
```

```python flags
from dataclasses import dataclass

@dataclass
class Answer:
    text: str = ""
    tokens: int = 0

    async def collect(self, stream) -> None:
        async for delta in stream:
            self.text += delta.content  # flagged
            self.tokens += 1

async def by_author(lines) -> dict[str, str]:
    found: dict[str, str] = {}
    for line in lines:
        found.setdefault(line.author, "")
        found[line.author] += f"{line.text}\\n"  # flagged
    return found
```

```python passes
import io

class Counter:
    def __init__(self) -> None:
        self.total = 0
        self.parts: list[str] = []
        self.label = ""

    def add_all(self, pieces: list[str]) -> str:
        text = ""
        for piece in pieces:
            text += piece
            self.total += len(piece)
            self.parts += [piece]
        for name in ("a", "b"):
            self.label += name
        return text

def receive(connection) -> bytes:
    data = bytearray()
    while chunk := connection.recv(4096):
        data += chunk
    buffer = io.BytesIO()
    for part in connection.parts():
        buffer.write(part)
    return bytes(data)

def suffix(users) -> None:
    for user in users:
        user.name += "!"
```
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal

from evenkeel.audit.model.context import ContextStore
from evenkeel.audit.model.facts import Assignment, Value, root_of
from evenkeel.audit.model.finding import Finding
from evenkeel.audit.model.flow import ancestors
from evenkeel.audit.model.loop_data import inside
from evenkeel.audit.model.loops import loop_kind
from evenkeel.audit.model.places import at_assignment
from evenkeel.audit.model.rule import Rule
from evenkeel.audit.model.shapes import GATHERS, LOOP_STATEMENTS
from evenkeel.audit.model.view import FunctionView, ModuleView

RULE = Rule(title="A string grown piece by piece in a loop", severity="MEDIUM", facts=frozenset({"assignments"}))

Text = Literal["str", "bytes", ""]

CONCATENATED = re.compile(r"(^|\+ )[rRfFuU]*[\"']|[\"'] \+")
LENGTHENING = frozenset({"append", "appendleft", "insert", "extend"})
SHORT = frozenset({"few", "attempts"})
JOIN = {
    "str": 'Collect the pieces in a list and join them once (`"".join(pieces)`).',
    "bytes": "Collect into a `bytearray` (or `io.BytesIO`) and convert once.",
}


def check(module: ModuleView, context: ContextStore) -> Iterator[Finding]:
    """One finding for each `+=` that copies what a loop has gathered so far."""
    del context
    for function in module.functions_shaped(LOOP_STATEMENTS):
        for assignment in function.fact.assignments if function.shape & GATHERS else ():
            if _grows(assignment):
                yield from _judge(function, assignment)


def _grows(assignment: Assignment) -> bool:
    """`text += piece`, or `text = text + piece` written out."""
    if len(assignment.targets) != 1 or assignment.value.text == assignment.targets[0]:
        return False  # `seed += seed` doubles: few passes, and all of them together copy twice the end
    written_out = assignment.operator == "=" and assignment.value.text.startswith(f"{assignment.targets[0]} + ")
    return assignment.operator == "+=" or (written_out and assignment.value.kind == "other")


def _judge(function: FunctionView, assignment: Assignment) -> Iterator[Finding]:
    target = assignment.targets[0]
    loop = _loop_of(function, assignment)
    if loop < 0 or _is_short(function, loop) or _starts_anew(function, assignment, loop):
        return
    kind = _kind(function, assignment)
    if not kind or (target.isidentifier() and kind == "str") or _is_limited(function, target, loop):
        return
    block = function.fact.blocks[loop]
    yield at_assignment(function, assignment).finding(
        "MEDIUM",
        f"`{target} += ...` in the loop at line {block.line} of `{function.fact.name}` copies the whole "
        f"{'text' if kind == 'str' else 'bytes'} for each piece: quadratic",
        JOIN[kind],
        effort="S",
        confidence="likely" if "[]" in target else "definite",
        end_line=block.end_line,
    )


def _is_short(function: FunctionView, loop: int) -> bool:
    """A few passes by the loop's own text, or one for each digit: `value >>= 7`, `n //= 10`."""
    digits = (each for each in function.fact.assignments if each.operator in {">>=", "//="})
    return loop_kind(function, loop) in SHORT or any(inside(function.fact, each.block, loop) for each in digits)


def _is_limited(function: FunctionView, target: str, loop: int) -> bool:
    """Whether the loop looks how long it has got, to send it on and start anew: `if len(self.buffer) >= LIMIT`."""
    measured = re.compile(rf"\blen\({re.escape(target)}\) >")
    given = (each.value.text for each in function.fact.assignments if inside(function.fact, each.block, loop))
    tests = (block.subject.text for block in function.fact.blocks if block.kind == "if" and block.subject is not None)
    return any(measured.search(text) for text in (*given, *tests))


def _loop_of(function: FunctionView, assignment: Assignment) -> int:
    blocks = function.fact.blocks
    return next((each for each in ancestors(blocks, assignment.block) if blocks[each].kind in {"for", "while"}), -1)


def _starts_anew(function: FunctionView, assignment: Assignment, loop: int) -> bool:
    """Whether each pass grows another string: it hangs on the loop's element, or is set again in the loop."""
    target = assignment.targets[0]
    bound = set(function.fact.blocks[loop].targets)
    for each in function.fact.assignments:
        if each.operator in {"=", ":="} and not _grows(each) and inside(function.fact, each.block, loop):
            bound.update(each.targets)
    # `rows[-1].text += ...` while rows are appended: the last one is another each time.
    for call in function.fact.calls:
        if call.callee.rpartition(".")[2] in LENGTHENING and inside(function.fact, call.block, loop):
            bound.add(call.callee.rpartition(".")[0])
    return target in bound or root_of(target) in bound or any(each in bound for each in assignment.keys)


def _kind(function: FunctionView, assignment: Assignment) -> Text:
    """Whether text or bytes grow: from what is added, or from what the target was given elsewhere."""
    if assignment.value.kind == "number" or _is_buffer(function, assignment.targets[0]):
        return ""
    return _of_value(function, assignment.value) or _of_target(function, assignment.targets[0])


def _is_buffer(function: FunctionView, target: str) -> bool:
    """Whether the target is a `bytearray`, which grows in place."""
    given = ((each.annotation, each.value.text) for _, each in _given(function, target))
    told = any(note == "bytearray" or text.startswith("bytearray(") for note, text in given)
    parameters = (each.annotation for each in function.fact.parameters if each.name == target)
    return told or "bytearray" in parameters


def _of_value(function: FunctionView, value: Value) -> Text:
    if value.kind == "string":
        return "str"
    if value.kind == "bytes":
        return "bytes"
    if value.kind == "other" and CONCATENATED.search(value.text):
        return "str"
    call = function.call(value.call) if value.kind == "call" else None
    return _of_type(call.link.result if call is not None else function.types.get(value.text, ""))


def _of_type(text: str) -> Text:
    short = text.rpartition(".")[2]
    return short if short in {"str", "bytes"} else ""  # type: ignore[return-value]


def _of_target(function: FunctionView, target: str) -> Text:
    given = list(_given(function, target))
    if "[]" in target and any(each.value.kind == "number" for _, each in given):
        return ""  # elements of several kinds: which of them grows, its key alone would tell
    for view, each in given:
        found = _of_type(each.annotation) or (_of_value(view, each.value) if view is not None else "")
        if found:
            return found
    return _of_type(function.types.get(target, ""))


def _given(function: FunctionView, target: str) -> Iterator[tuple[FunctionView | None, Assignment]]:
    """Where the target gets a value: in the function, or for an attribute of `self` anywhere in the class."""
    root, _, name = target.partition(".")
    if root != "self" or function.fact.owner < 0:
        yield from ((function, each) for each in _settings(function, target))
        return
    module = function.module
    top = module.functions[0]
    for each in module.outline.classes[function.fact.owner].attributes:
        if name in each.targets:
            yield (top if each.value.kind != "call" else None), each
    for method in module.functions:
        if method.fact.owner == function.fact.owner:
            yield from ((method, each) for each in _settings(method, target))


def _settings(function: FunctionView, target: str) -> Iterator[Assignment]:
    return (each for each in function.fact.assignments if target in each.targets and each.operator == "=")
