"""Where a witness path ends: the call in another function, often another file, that has the effect."""

from __future__ import annotations

from evenkeel.audit.model.finding import Step
from evenkeel.audit.model.view import CallView, ModuleView


def calls_at(module: ModuleView, step: Step) -> tuple[CallView, ...]:
    """The calls that stand on a step's line; () when the step is in no function of the project."""
    other = module.neighbour(step.file)
    view = other.named(step.function) if other is not None else None
    return tuple(each for each in view.calls if each.line == step.line) if view is not None else ()
