"""An effect that making a call has, and the way to it."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from evenkeel.audit.model.effects import Effect
from evenkeel.audit.model.finding import Step


class Reach:
    """An effect that making a call has, and the way to it. The way is followed when somebody asks for it."""

    __slots__ = ("_path", "_way", "depth", "effect", "kept", "looped", "spawned")

    def __init__(
        self, effect: Effect, way: Callable[[], Iterable[Step]], depth: int, *, spawned: bool, looped: bool, kept: bool
    ) -> None:
        self.effect = effect
        self.depth = depth  # calls between the one it was asked of and the one that has it; 0: that call itself
        self.spawned = spawned
        self.looped = looped
        self.kept = kept
        self._way = way
        self._path: tuple[Step, ...] = ()

    @classmethod
    def along(cls, effect: Effect, path: tuple[Step, ...]) -> Reach:
        """An effect whose way is known."""
        return cls(effect, lambda: path, len(path) - 1, spawned=False, looped=False, kept=False)

    @classmethod
    def at(cls, effect: Effect, way: Callable[[], Iterable[Step]]) -> Reach:
        """An effect of the call itself."""
        return cls(effect, way, 0, spawned=False, looped=False, kept=False)

    @property
    def path(self) -> tuple[Step, ...]:
        """`path[0]` is the call it was asked of; the last step is where it happens."""
        if not self._path:
            self._path = tuple(self._way())
        return self._path

    @property
    def direct(self) -> bool:
        """Whether the call itself has it, not something it calls."""
        return self.depth == 0
