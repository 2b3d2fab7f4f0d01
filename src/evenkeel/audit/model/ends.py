"""Where a witness path ends: the call in another function, often another file, that has the effect."""

from __future__ import annotations

from evenkeel.audit.model.finding import Step
from evenkeel.audit.model.view import CallView, ModuleView


def calls_at(module: ModuleView, step: Step) -> tuple[CallView, ...]:
    """The calls that stand on a step's line; () when the step is in no function of the project."""
    other = module.neighbour(step.file)
    functions = other.functions if other is not None else ()
    view = next((each for each in functions if each.name == step.function), None)
    return tuple(each for each in view.calls if each.line == step.line) if view is not None else ()
