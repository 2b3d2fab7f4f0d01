"""Answers that are remembered for a while: mappings of bounded size."""

from __future__ import annotations

from typing import Generic, TypeAlias, TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")


class Bounded(dict[Key, Value]):
    """A dictionary that is emptied when it would hold more than `most` values: for answers that are found again in no time.

    It is asked tens of thousands of times, so `get` has to be that of `dict`."""

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


Remembered: TypeAlias = Bounded[Key, Value] | Latest[Key, Value]


def remembering(most: int, keys: int) -> Remembered[Key, Value]:
    """For answers to at most `keys` different questions: where all are kept, which was used last need not be known."""
    return Bounded(most) if keys <= most else Latest(most)
