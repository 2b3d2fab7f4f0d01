"""The catalogue of technologies, read from `technologies.toml`: what a package, image, URL or word stands for."""

from __future__ import annotations

import functools
import re
import tomllib
from importlib import resources
from typing import Literal

import msgspec

from evenkeel.audit.model.profile import Role

Ecosystem = Literal["python", "node", "rust"]


class Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One table of `technologies.toml`; the file's head explains the keys."""

    role: Role
    python: tuple[str, ...] = ()
    modules: tuple[str, ...] = ()
    node: tuple[str, ...] = ()
    go: tuple[str, ...] = ()
    rust: tuple[str, ...] = ()
    images: tuple[str, ...] = ()
    schemes: tuple[str, ...] = ()
    engines: tuple[str, ...] = ()
    prose: tuple[str, ...] | None = None
    implies: tuple[str, ...] = ()


class Catalogue(msgspec.Struct, frozen=True):
    """Canonical names by what shows them. `entries` keeps the order of the file."""

    entries: dict[str, Entry]
    python: dict[str, str]
    modules: dict[str, str]
    node: dict[str, str]
    go: dict[str, str]
    rust: dict[str, str]
    images: dict[str, str]
    schemes: dict[str, str]
    engines: dict[str, str]
    prose: dict[str, str]

    def role(self, name: str) -> Role:
        """The role of a canonical name; "language" for those that the catalogue leaves out."""
        entry = self.entries.get(name)
        return entry.role if entry else "language"

    def of_package(self, ecosystem: Ecosystem, package: str) -> tuple[str, bool] | None:
        """Canonical name of a package, and whether it is the technology itself; None when it is not known.

        Companions show that a technology is in use, but their version is not its version: `django-rq` and `rq`."""
        written = normalised(package) if ecosystem == "python" else package
        names: dict[str, str] = getattr(self, ecosystem)
        name = names.get(written)
        if name is None:
            return None
        first: str = getattr(self.entries[name], ecosystem)[0]
        return name, written.removesuffix("-binary") in {name, normalised(first) if ecosystem == "python" else first}

    def of_scheme(self, scheme: str) -> tuple[str, ...]:
        """Database and driver of a URL's scheme: `postgresql+asyncpg` gives postgresql and asyncpg."""
        whole = scheme.lower()
        found = [self.schemes.get(part) or self.drivers.get(part) for part in (whole, *whole.split("+"))]
        return tuple(dict.fromkeys(name for name in found if name))

    @property
    def drivers(self) -> dict[str, str]:
        """Drivers by the names that the second half of a URL's scheme uses."""
        return {name: name for name, entry in self.entries.items() if entry.role == "driver"}

    def of_module_path(self, path: str) -> str | None:
        """The technology of a Go module path: the longest known prefix that ends at a slash or at the end."""
        parts = path.lower().split("/")
        prefixes = ("/".join(parts[:length]) for length in range(len(parts), 0, -1))
        return next((self.go[prefix] for prefix in prefixes if prefix in self.go), None)

    def of_image(self, image: str) -> str | None:
        """The technology of a container image reference without its tag: the last part of its path decides."""
        parts = image.lower().split("/")
        return self.images.get("-".join(parts[-2:])) or self.images.get(parts[-1])


def normalised(package: str) -> str:
    """A Python distribution's name as package indexes compare it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", package).lower()


@functools.cache
def catalogue() -> Catalogue:
    """The catalogue that ships; read once a process."""
    text = resources.files(__package__).joinpath("technologies.toml").read_text(encoding="utf-8")
    entries = msgspec.convert(tomllib.loads(text), dict[str, Entry])

    def by(key: str) -> dict[str, str]:
        return {value: name for name, entry in entries.items() for value in getattr(entry, key)}

    prose = {
        word: name for name, entry in entries.items() for word in ((name,) if entry.prose is None else entry.prose)
    }
    keys = ("modules", "node", "go", "rust", "images", "schemes", "engines")
    python = {normalised(package): name for package, name in by("python").items()}
    return Catalogue(entries=entries, python=python, prose=prose, **{key: by(key) for key in keys})
