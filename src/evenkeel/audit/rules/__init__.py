"""Rules: one file a rule. The file name is the slug, the folder the category, the docstring the page.

A rule file holds `RULE = Rule(...)` and `check(module, context)`, which yields findings. Rules are found by walking the three
folders and are sorted by slug; nothing is registered by hand.
"""

from __future__ import annotations

import dataclasses
import importlib
import pkgutil
from functools import lru_cache
from pathlib import Path

from evenkeel.audit.model.finding import CATEGORIES
from evenkeel.audit.model.rule import Rule


def rules_of(category: str) -> tuple[Rule, ...]:
    """The rules of one category (`query-efficiency`, ...), sorted by slug."""
    return tuple(_load(category, name) for name in _names(category))


def categories_of_rules() -> dict[str, str]:
    """The category of every slug, sorted by category and slug. Loads no rule."""
    return {name.replace("_", "-"): category for category, _, _ in CATEGORIES for name in _names(category)}


def all_rules() -> tuple[Rule, ...]:
    """Every rule, sorted by category and slug."""
    return tuple(rule for category, _, _ in CATEGORIES for rule in rules_of(category))


@lru_cache(maxsize=8)
def _names(category: str) -> tuple[str, ...]:
    return tuple(sorted(each.name for each in pkgutil.iter_modules([str(Path(__file__).parent / _package(category))])))


def _package(category: str) -> str:
    return category.replace("-", "_")


def _load(category: str, name: str) -> Rule:
    module = importlib.import_module(f"{__name__}.{_package(category)}.{name}")
    stated: Rule = module.RULE
    return dataclasses.replace(
        stated, slug=name.replace("_", "-"), category=category, page=module.__doc__ or "", check=module.check
    )
