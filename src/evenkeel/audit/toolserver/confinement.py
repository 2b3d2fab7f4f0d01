"""Which paths a client may name: those within the allowed folders, links followed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from evenkeel.kernel.errors import NotFoundError


@dataclass(frozen=True, slots=True)
class Confinement:
    """The allowed folders, absolute and resolved; relative paths start from the first."""

    roots: tuple[Path, ...]

    def __str__(self) -> str:
        return ", ".join(map(str, self.roots))

    def folder(self, stated: str) -> Path:
        """An allowed folder that exists. Raises NotFoundError; it does not tell what exists elsewhere."""
        path = self._within(stated)
        if not path.is_dir():
            raise self._refusal(stated)
        return path

    def file(self, stated: str, base: Path | None = None) -> Path:
        """An allowed file that exists; a relative one starts from `base`. Raises NotFoundError."""
        path = self._within(stated, base)
        if not path.is_file():
            raise self._refusal(stated)
        return path

    def _within(self, stated: str, base: Path | None = None) -> Path:
        try:
            path = ((base or self.roots[0]) / stated).resolve()
        except (OSError, ValueError, RuntimeError) as error:  # too long, a zero byte, links in a circle
            raise self._refusal(stated) from error
        if not any(path.is_relative_to(each) for each in self.roots):
            raise self._refusal(stated)
        return path

    def _refusal(self, stated: str) -> NotFoundError:
        hint = f"Give a path within {self}; `evenkeel mcp --root FOLDER` allows others."
        return NotFoundError(f"{stated!r} is not there, or not within what may be audited.", hint=hint)
