"""Views of small source trees, for the analyses that the runtime rules share."""

from __future__ import annotations

from evenkeel.audit.model.view import FunctionView, ModuleView
from tests.effects.linked import link_source


def module_of(source: str, **others: str) -> ModuleView:
    """The view of `source` as `app.py`, beside other files."""
    index = link_source(source, **others).index
    number = next(i for i, (path, _) in enumerate(index.files) if path == "app.py")
    return ModuleView(index, number)


def function_of(source: str, name: str = "f", **others: str) -> FunctionView:
    """The view of one function of `app.py`, by the end of its qualified name."""
    module = module_of(source, **others)
    found = [each for each in module.functions if f".{each.fact.qualname}".endswith(f".{name}")]
    assert len(found) == 1, f"{name}: {[each.fact.qualname for each in module.functions]}"
    return found[0]
