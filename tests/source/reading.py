"""Reads small sources and tells facts as short text, so that a test can be checked by eye."""

from __future__ import annotations

from textwrap import dedent

from evenkeel.audit.model.facts import Block, Call, FileFacts, Function, Value
from evenkeel.audit.source.python.reader import read


def facts_of(source: str, path: str = "shop/orders.py", module: str = "shop.orders") -> FileFacts:
    """The facts of a source text."""
    return read(dedent(source).encode(), path, module)


def module_code(source: str) -> Function:
    """The module's own code, of a source that can be read whole."""
    facts = facts_of(source)
    assert facts.errors == ()
    return facts.functions[0]


def function(facts: FileFacts, qualname: str) -> Function:
    """The function of that name."""
    return next(each for each in facts.functions if each.qualname == qualname)


def value_of(expression: str) -> Value:
    """The value assigned in `x = expression`."""
    return module_code(f"x = {expression}\n").assignments[-1].value


def call_text(call: Call) -> str:
    """`3<callee(kind, key=kind)`, with the receiver's number before `<`, `await` and `;` for a discarded result."""
    receiver = f"{call.receiver}<" if call.receiver >= 0 else ""
    given = ", ".join((f"{each.keyword}=" if each.keyword else "") + each.value.kind for each in call.arguments)
    awaited = "await " if call.awaited else ""
    return f"{awaited}{receiver}{call.callee}({given}){';' if call.discarded else ''}"


def calls_text(owner: Function) -> list[str]:
    """All calls in order."""
    return [call_text(each) for each in owner.calls]


def block_text(block: Block) -> str:
    """`async for -> order [orders.all()]`, `else of 2`, `with -> a, b [open()]`; `!` when its last statement leaves."""
    words = ["async"] if block.is_async else []
    words.append(block.kind)
    if block.origin >= 0:
        words.append(f"of {block.origin}")
    if block.targets:
        words.append(f"-> {', '.join(block.targets)}")
    if block.subject is not None:
        words.append(f"[{block.subject.text}]")
    return " ".join(words) + ("!" if block.exits else "")


def tree_text(owner: Function) -> str:
    """The blocks below the body, indented, each with its number and the callees that stand in it."""
    lines: list[str] = []

    def show(parent: int, depth: int) -> None:
        for index, block in enumerate(owner.blocks):
            if block.parent == parent:
                callees = " ".join(each.callee for each in owner.calls if each.block == index)
                lines.append(f"{'  ' * depth}{index} {block_text(block)}{': ' if callees else ''}{callees}")
                show(index, depth + 1)

    show(0, 0)
    return "\n".join(lines)


def assignment_texts(owner: Function) -> list[str]:
    """`a, b: annotation += value` of each assignment."""
    texts = []
    for each in owner.assignments:
        annotation = f": {each.annotation}" if each.annotation else ""
        texts.append(f"{', '.join(each.targets)}{annotation} {each.operator} {each.value.text}".strip())
    return texts
