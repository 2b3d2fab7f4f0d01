"""A relation of the object that a loop's own method belongs to: whoever loaded the object may have loaded it along."""

from __future__ import annotations

from collections.abc import Sequence

from evenkeel.audit.model.ends import calls_at
from evenkeel.audit.model.finding import Step
from evenkeel.audit.model.lazy_loads import reads_relation
from evenkeel.audit.model.view import CallView

OWN = "self."
GIVEN = "whether whoever loads the object loads this relation along"


def open_relation(call: CallView, path: Sequence[Step]) -> str:
    """The question how the object was loaded, where each pass asks `self`, and what hangs on it, for all of one relation:
    `for metric in metrics: self.has_data(metric)`, which goes through `self.trial.branches.all()`. "" for all else."""
    if not _is_own(call) or len(path) < 2 or not reads_relation(call, path[-1]):
        return ""
    module = call.function.module
    on_the_way = (calls_at(module, each) for each in path[1:])
    return GIVEN if all(any(map(_is_own, each)) for each in on_the_way) else ""


def _is_own(call: CallView) -> bool:
    return call.fact.callee.rpartition("> ")[2].startswith(OWN)
