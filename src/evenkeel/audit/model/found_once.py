"""Attributes that are found out when they are first asked for.

As `functools.cached_property`, which takes a lock each time until Python 3.12: workers find a hundred thousand of them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, Self, TypeVar, overload

Value = TypeVar("Value")


class FoundOnce(Generic[Value]):
    """A method turned into an attribute; what it gives stays in the object's `__dict__`, and can be deleted there."""

    def __init__(self, find: Callable[[Any], Value]) -> None:
        self._find = find
        self._name = ""
        self.__doc__ = find.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, instance: None, owner: type) -> Self: ...

    @overload
    def __get__(self, instance: object, owner: type) -> Value: ...

    def __get__(self, instance: object | None, owner: type) -> Self | Value:
        if instance is None:
            return self
        value = instance.__dict__[self._name] = self._find(instance)
        return value
