"""Languages: which files are theirs, and which front end reads them. Data; a new front end is one row.

A reader is a module with `read(source: bytes, path: str, module: str) -> FileFacts` and `GRAMMARS`, the distributions
that it parses with. It is imported only where files are read.
"""

from __future__ import annotations

import functools
import hashlib
import importlib
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, cast

from evenkeel.audit.model import facts
from evenkeel.audit.model.facts import FileFacts
from evenkeel.audit.source import classify, decoding

Read = Callable[[bytes, str, str], FileFacts]


class Language(NamedTuple):
    """`reader` is "" for a language that backends are written in and that has no front end yet."""

    name: str
    suffixes: tuple[str, ...]
    reader: str = ""


LANGUAGES: tuple[Language, ...] = (
    Language("python", ("py", "pyw"), "evenkeel.audit.source.python.reader"),
    Language("rust", ("rs",)),
    Language("go", ("go",)),
    Language("typescript", ("ts", "tsx", "mts", "cts")),
    Language("javascript", ("js", "jsx", "mjs", "cjs")),
    Language("java", ("java",)),
    Language("kotlin", ("kt",)),
    Language("scala", ("scala",)),
    Language("ruby", ("rb",)),
    Language("php", ("php",)),
    Language("c#", ("cs",)),
    Language("elixir", ("ex", "exs")),
)
BY_SUFFIX: dict[str, Language] = {suffix: each for each in LANGUAGES for suffix in each.suffixes}
BY_NAME: dict[str, Language] = {each.name: each for each in LANGUAGES}

# JavaScript that runs in a browser, configures a build tool or only declares types is no backend source.
BROWSER_LANGUAGES = frozenset({"typescript", "javascript"})
BROWSER_FOLDERS = frozenset(
    [
        "frontend",
        "front-end",
        "client",
        "clients",
        "web",
        "webapp",
        "ui",
        "www",
        "public",
        "static",
        "assets",
        "console",
        "dashboard",
        "components",
    ]
)
BROWSER_ENDINGS = (".d.ts", ".min.js", ".config.js", ".config.ts", ".config.mjs", ".config.cjs", ".stories.tsx")


@functools.cache
def reader(language: str) -> Read:
    """The `read` of a language's front end."""
    return cast("Read", importlib.import_module(BY_NAME[language].reader).read)


@functools.cache
def version(language: str) -> str:
    """What the facts of a language depend on beside the source: the code that makes them, and the grammar.

    A digest of that code, not a number, because a number that someone forgets to raise gives stale facts."""
    front_end = importlib.import_module(BY_NAME[language].reader)
    files = [Path(facts.__file__), Path(classify.__file__), Path(decoding.__file__)]
    files += sorted(Path(front_end.__file__ or "").parent.glob("*.py"))
    state = hashlib.blake2b(digest_size=8)
    for each in files:
        state.update(each.read_bytes())
    grammars = [f"{each} {_installed(each)}" for each in cast("tuple[str, ...]", front_end.GRAMMARS)]
    return "/".join([state.hexdigest(), *grammars])


def _installed(distribution: str) -> str:
    """The version of a distribution that holds a package of its name: that of its folder of metadata, where there is one.

    To read the metadata itself takes longer than to load a front end (10 ms)."""
    package = distribution.replace("-", "_")
    folder = Path(importlib.import_module(package).__file__ or "").parent.parent
    found = [each.name for each in folder.glob(f"{package}-*.dist-info")]
    if len(found) == 1:
        return found[0].removeprefix(f"{package}-").removesuffix(".dist-info")
    from importlib import metadata  # noqa: PLC0415 - nearly never needed

    return metadata.version(distribution)
