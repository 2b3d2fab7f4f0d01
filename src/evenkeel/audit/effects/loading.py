"""Read the effect catalogues of a language, merge them with the user's own, and keep the result for the next start.

The shipped files are TOML, which is slow to parse, so the merged catalogue is kept as MessagePack in the user's cache
directory, keyed by the files' names, sizes and times. A cache that is missing, damaged or not writable costs only the
parse.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import re
import tempfile
import tomllib
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import platformdirs

from evenkeel.audit.effects.catalogue import Catalogue, canonical
from evenkeel.audit.effects.reading import read_catalogue
from evenkeel.kernel.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

USER_TABLE = "tool.evenkeel.effects"
_SECTIONS = ("types", "calls", "attributes", "decorators", "aliases")


def load(language: str, extra: Mapping[str, object] | None = None, *, cache_dir: Path | None = None) -> Catalogue:
    """All catalogue files of `language` merged, with the user's table `extra` on top (its entries win).

    `cache_dir` defaults to the user's cache directory. A language without catalogue files gives an empty catalogue.
    Raises ConfigurationError when `extra` has an unknown key, a value of the wrong type, an unknown effect kind, or a
    reference that leads nowhere; the message names the key.
    """
    shipped = _shipped(language, cache_dir or platformdirs.user_cache_path("evenkeel", appauthor=False))
    if not extra:
        return shipped
    merged = _merge([shipped, _renamed(read_catalogue(extra, USER_TABLE), shipped)])
    check_references(merged, USER_TABLE)
    return merged


def catalogue_files(language: str) -> list[Path]:
    """The shipped catalogue files of a language, sorted by name."""
    return sorted((Path(__file__).parent.parent / "source" / language / "effects").glob("*.toml"))


def parse_files(files: Iterable[Path]) -> Catalogue:
    """Parse and merge catalogue files without the cache. Raises ConfigurationError naming the file and key at fault."""
    read: list[Catalogue] = []
    owners: dict[tuple[str, str], str] = {}
    for file in files:
        catalogue = _parse(file)
        for section in _SECTIONS:
            for key in getattr(catalogue, section):
                other = owners.setdefault((section, key), file.name)
                if other != file.name:
                    raise ConfigurationError(f"{file.name}: {section}.{key!r} is already defined in {other}.")
        read.append(catalogue)
    merged = _merge(read)
    check_references(merged, "effects")
    return merged


def check_references(catalogue: Catalogue, origin: str) -> None:
    """Raise ConfigurationError when a base is not a known type, or aliases run in a circle."""
    for name, spec in catalogue.types.items():
        for base in spec.bases:
            if base not in catalogue.types:
                raise ConfigurationError(
                    f"{origin}: the base {base!r} of types.{name!r} is not a type of the catalogue.",
                    hint=f"Add types.{base!r} (an empty table is enough), or correct the name.",
                )
    for alias, target in catalogue.aliases.items():
        if target in catalogue.aliases or f"{target}.".startswith(f"{alias}."):
            raise ConfigurationError(
                f"{origin}: the alias {alias!r} leads to {target!r}, which leads back to it.",
                hint="Point the alias at the canonical name.",
            )


def _renamed(extra: Catalogue, shipped: Catalogue) -> Catalogue:
    """The user may write any import path of a library's type; the entry is kept under the name the catalogue uses."""

    def rename(name: str) -> str:
        return canonical(shipped, name)

    return msgspec.structs.replace(
        extra,
        types={
            rename(key): msgspec.structs.replace(spec, bases=tuple(map(rename, spec.bases)))
            for key, spec in extra.types.items()
        },
        calls={rename(key): spec for key, spec in extra.calls.items()},
        attributes={rename(key): spec for key, spec in extra.attributes.items()},
        decorators={rename(key): spec for key, spec in extra.decorators.items()},
    )


def _parse(file: Path) -> Catalogue:
    try:
        table = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigurationError(f"{file.name}: {error}.", hint="Correct the catalogue file.") from error
    return read_catalogue(table, file.name)


def _merge(catalogues: list[Catalogue]) -> Catalogue:
    """Later catalogues win. Aliases of aliases are followed to the end; those that run in a circle stay as they are."""
    aliases: dict[str, str] = {}
    for catalogue in catalogues:
        aliases |= catalogue.aliases
    return Catalogue(
        source=tuple(dict.fromkeys(itertools.chain.from_iterable(c.source for c in catalogues))),
        imports=tuple(sorted({package for c in catalogues for package in c.imports})),
        types={key: spec for c in catalogues for key, spec in c.types.items()},
        calls={key: spec for c in catalogues for key, spec in c.calls.items()},
        attributes={key: spec for c in catalogues for key, spec in c.attributes.items()},
        decorators={key: spec for c in catalogues for key, spec in c.decorators.items()},
        aliases={alias: _end_of(alias, aliases) for alias in aliases},
    )


def _end_of(alias: str, aliases: Mapping[str, str]) -> str:
    target = aliases[alias]
    for _ in range(len(aliases)):
        if target not in aliases:
            break
        target = aliases[target]
    return target


def _shipped(language: str, cache_dir: Path) -> Catalogue:
    if not re.fullmatch(r"[a-z]+", language):
        raise ConfigurationError(f"{language!r} is not the name of a language.", hint="Use for example 'python'.")
    files = catalogue_files(language)
    cached = cache_dir / "effects" / f"{language}-{_fingerprint(files)}.msgpack"
    with suppress(OSError, msgspec.MsgspecError):
        return msgspec.msgpack.decode(cached.read_bytes(), type=Catalogue)
    catalogue = parse_files(files)
    with suppress(OSError):
        _replace(cached, msgspec.msgpack.encode(catalogue), stale=f"{language}-*.msgpack")
    return catalogue


def _fingerprint(files: Iterable[Path]) -> str:
    """Changes with the files and with the code that reads them, so that neither can be newer than the cache."""
    digest = hashlib.blake2b(digest_size=16)
    code = (Path(__file__).with_name(name) for name in ("catalogue.py", "loading.py", "reading.py"))
    for file in itertools.chain(code, files):
        status = file.stat()
        digest.update(f"{file}\0{status.st_size}\0{status.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def _replace(target: Path, content: bytes, *, stale: str) -> None:
    """Write the whole file or nothing, and drop what earlier versions left."""
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        Path(temporary).replace(target)
    except OSError:
        Path(temporary).unlink(missing_ok=True)
        raise
    for earlier in target.parent.glob(stale):
        if earlier != target:
            earlier.unlink(missing_ok=True)
