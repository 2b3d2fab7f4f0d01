"""What a rule is. One file a rule: the file name is its slug, its folder the category, its docstring the page."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from evenkeel.audit.model.context import ContextStore
from evenkeel.audit.model.effects import EffectKind
from evenkeel.audit.model.finding import Finding, Severity

if TYPE_CHECKING:
    from evenkeel.audit.model.view import ModuleView

Check = Callable[["ModuleView", ContextStore], Iterator[Finding]]


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule as its file states it. `slug`, `category`, `page` and `check` are filled in when it is discovered."""

    title: str  # the fault in a few words
    severity: Severity  # starting point
    needs: frozenset[EffectKind] = field(default_factory=frozenset)  # at least one must be reachable in a module
    facts: frozenset[str] = frozenset()  # kinds of facts it reads beyond calls: loops, reads, assignments, classes
    slug: str = ""
    category: str = ""
    page: str = ""
    check: Check | None = None
