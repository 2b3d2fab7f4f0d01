"""Objects that are made where they are handed over: saving such a one inserts it."""

from __future__ import annotations

from evenkeel.audit.model.facts import Value
from evenkeel.audit.model.loop_data import bound_call
from evenkeel.audit.model.view import CallView


def hands_over_new(call: CallView) -> bool:
    """Whether an object that is made here is handed over: `repository.save(User(...))`."""
    return any(_is_new(call, each.value) for each in call.fact.arguments)


def _is_new(call: CallView, value: Value) -> bool:
    made = call.function.call(value.call) if value.kind == "call" else None
    if value.kind == "name":
        made = bound_call(call.function, value.text, call.fact.position)
        if made is not None and made.fact.position < _bound_by_loop(call, value.text):
            return False
    return made is not None and constructs(made)


def _bound_by_loop(call: CallView, name: str) -> int:
    """Where the last loop before a call begins that gives the name to its elements; -1 when none does."""
    blocks = (each for each in call.function.fact.blocks if each.kind == "for" and name in each.targets)
    return max((each.start for each in blocks if each.start < call.fact.position), default=-1)


def constructs(call: CallView) -> bool:
    """Whether a call makes an instance of the class it names, under that or an imported name."""
    made = call.link.result.partition("[")[0].rpartition(".")[2]
    if not made or call.name == made:
        return bool(made)
    imports = (each for each in call.function.module.outline.imports if each.name == call.fact.callee)
    return any(each.target.rpartition(".")[2] == made for each in imports)
