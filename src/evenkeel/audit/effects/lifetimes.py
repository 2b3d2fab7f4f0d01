"""Lifetimes: which classes of the project have instances that live as long as the process.

An instance lasts when it is made at the top level of a module, by a memoised function, or put where it stays (a `global`
name, the application's state, an attribute of a class), and when it is a part of one that lasts.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from evenkeel.audit.effects.symbols import Symbols
from evenkeel.audit.model.facts import Function
from evenkeel.audit.model.index import LinkedFunction
from evenkeel.audit.model.once import is_memoised

Part = tuple[str, str]  # (class, or "" for the process; class of which it makes and keeps an instance)


def kept_parts(symbols: Symbols, file: int, linked: Sequence[LinkedFunction]) -> tuple[Part, ...]:
    """Who keeps an instance of which class, as far as one file says."""
    facts = symbols.facts(file)
    module = symbols.modules[file].name
    found: dict[Part, None] = {}
    for function, each in zip(facts.functions, linked, strict=True):
        owner = f"{module}.{facts.classes[function.owner].qualname}" if function.owner >= 0 else ""
        made = {link.call: link.result for link in each.links if link.result in symbols.classes}
        if made:
            found.update(
                dict.fromkeys(_kept(function, made, owner, memoised=is_memoised(function, cached=each.cached)))
            )
    return tuple(found)


def _kept(function: Function, made: dict[int, str], owner: str, *, memoised: bool) -> Iterable[Part]:
    if function.qualname == "<module>" or memoised:
        yield from (("", result) for result in made.values())
        return
    for assignment in function.assignments:
        result = made.get(assignment.value.call, "") if assignment.value.call >= 0 else ""
        if not result:
            continue
        for target in assignment.targets:
            root, dot, _ = target.partition(".")
            if target in function.globals or root == "cls" or ".state." in target:
                yield "", result
            elif root == "self" and dot and owner:
                yield owner, result


def lasting_classes(parts: Iterable[Part]) -> frozenset[str]:
    """The classes that the process keeps, and the parts of those, step by step."""
    keeps: dict[str, set[str]] = {}
    for holder, part in parts:
        keeps.setdefault(holder, set()).add(part)
    found: set[str] = set()
    waiting = list(keeps.get("", ()))
    while waiting:
        each = waiting.pop()
        if each not in found:
            found.add(each)
            waiting.extend(keeps.get(each, ()))
    return frozenset(found)
