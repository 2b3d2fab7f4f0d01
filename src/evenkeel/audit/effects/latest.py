"""Answers that are remembered: mappings of bounded size, but of a project that is held as a whole, which is bounded itself."""

from __future__ import annotations

from typing import Generic, TypeAlias, TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")


class Bounded(dict[Key, Value]):
    """A dictionary that is emptied when it would hold more than `most` values: for answers that are found again in no time."""

    __slots__ = ("_most",)

    def __init__(self, most: int) -> None:
        super().__init__()
        self._most = most

    def __setitem__(self, key: Key, value: Value) -> None:
        if len(self) >= self._most:
            self.clear()
        super().__setitem__(key, value)


class Latest(Generic[Key, Value]):
    """At most `most` values, at least the half of them that was used last.

    Two dictionaries: when the young one is full it becomes the old one, and what is asked for again moves back. That
    costs less time and memory than an order kept by each use."""

    def __init__(self, most: int) -> None:
        self._half = max(most // 2, 1)
        self._young: dict[Key, Value] = {}
        self._old: dict[Key, Value] = {}

    def get(self, key: Key) -> Value | None:
        """The value, or None."""
        value = self._young.get(key)
        if value is None:
            value = self._old.get(key)
            if value is not None:
                self[key] = value
        return value

    def __setitem__(self, key: Key, value: Value) -> None:
        if len(self._young) >= self._half and key not in self._young:
            self._old, self._young = self._young, {}
        self._young[key] = value

    def __len__(self) -> int:
        """Values held; one that has moved back counts twice."""
        return len(self._young) + len(self._old)

    def clear(self) -> None:
        """Forget all."""
        self._young.clear()
        self._old.clear()


Remembered: TypeAlias = dict[Key, Value] | Latest[Key, Value]


def answers(most: int, *, held: bool) -> dict[Key, Value]:
    """For answers that are found again in no time. `held`: of a project that is held as a whole, all are kept."""
    return {} if held else Bounded(most)


def latest_answers(most: int, *, held: bool) -> Remembered[Key, Value]:
    """For answers that are not all to be lost at once. `held`: as above."""
    return {} if held else Latest(most)
