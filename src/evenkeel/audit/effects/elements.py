"""Elements of collections written out: `[User(x) for x in rows]` is a list of users, by the text of its first element.

Facts hold the text of a literal, not its elements, so only an element that is one name or one call is understood.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from evenkeel.audit.effects.types import UNKNOWN, Type, split_top
from evenkeel.audit.model.facts import Value

if TYPE_CHECKING:
    from evenkeel.audit.effects.resolve import Resolver

_CALLEE = re.compile(r"(?:await\s+)?([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)(\()?")
_FOLLOWED = re.compile(r"\s*(?:,|[\])}]|(?:async\s+)?for\b|$)")


class Element(NamedTuple):
    """The first element of a literal: a chain, and whether it is called."""

    chain: str
    called: bool


def element_type(resolver: Resolver, function_id: int, value: Value, position: int) -> Type:
    """The type of the elements of a list or set literal or a comprehension; UNKNOWN when its text does not tell."""
    return _type_of(resolver, function_id, value, first_element(value.text), position)


def mapped_type(resolver: Resolver, function_id: int, value: Value, position: int) -> Type:
    """The type of the values of `{user.id: user for user in users}`; UNKNOWN for anything that is no dict so made."""
    parts = split_top(value.text[1:], ":") if value.text[:1] == "{" else []
    element = first_element(f"[{parts[1]}") if len(parts) > 1 else None
    return _type_of(resolver, function_id, value, element, position)


def _type_of(resolver: Resolver, function_id: int, value: Value, element: Element | None, position: int) -> Type:
    if element is None or element.chain.partition(".")[0] not in {each.partition(".")[0] for each in value.names}:
        return UNKNOWN
    found = resolver.chain(function_id, element.chain, -1, position)
    if element.called:
        found = resolver.result_of(found)
    return UNKNOWN if ":" in found.name or found.name in {"type", "None"} else found


@lru_cache(maxsize=4_096)
def first_element(text: str) -> Element | None:
    """`[await load(x) for x in xs]` -> `load`, called; None for anything but one name or one call."""
    inner = text[1:].lstrip() if text[:1] in "[({" else text
    match = _CALLEE.match(inner)
    if match is None:
        return None
    end = match.end()
    if match[2]:
        end = _closing(inner, end)
        if end < 0:
            return None
    return Element(match[1], bool(match[2])) if _FOLLOWED.match(inner, end) else None


def _closing(text: str, start: int) -> int:
    """The place after the bracket that closes the one before `start`; -1 when the text ends first."""
    depth = 1
    for index in range(start, len(text)):
        depth += (text[index] in "([{") - (text[index] in ")]}")
        if depth == 0:
            return index + 1
    return -1
