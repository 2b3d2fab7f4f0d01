"""Every name of the standard library that the catalogue writes down exists, in this Python or in a named other one."""

from __future__ import annotations

import builtins
import functools
import importlib
import sys
import warnings

import pytest

from evenkeel.audit.effects.catalogue import Catalogue
from evenkeel.audit.effects.loading import catalogue_files, parse_files

# Names that some supported Python lacks, with the versions that have them ("what's new" pages of the manual).
NEWER = {
    "asyncio.EventLoop": (3, 13),
    "asyncio.Queue.shutdown": (3, 13),
    "concurrent.futures.InterpreterPoolExecutor": (3, 14),
    "copy.replace": (3, 13),
    "itertools.batched": (3, 12),
    "mimetypes.guess_file_type": (3, 13),
    "pathlib.Path.copy": (3, 14),
    "pathlib.Path.copy_into": (3, 14),
    "pathlib.Path.is_junction": (3, 12),
    "pathlib.Path.move": (3, 14),
    "pathlib.Path.move_into": (3, 14),
    "pathlib.Path.walk": (3, 12),
    "pathlib.Path.with_segments": (3, 12),
    "pathlib.PurePath.full_match": (3, 13),
    "pathlib.PurePath.with_segments": (3, 12),
    "typing.override": (3, 12),
}
REMOVED = {
    "configparser.SafeConfigParser": (3, 12),
    "crypt": (3, 13),
    "importlib.abc.Traversable": (3, 14),
    "importlib.resources.open_binary": (3, 13),
    "importlib.resources.open_text": (3, 13),
    "importlib.resources.read_binary": (3, 13),
    "importlib.resources.read_text": (3, 13),
    "pathlib.Path.link_to": (3, 12),
    "pathlib.PurePath.is_reserved": (3, 15),
    "telnetlib": (3, 13),
}
# Set on instances, in classes that are compiled, or only on another platform.
NOT_ON_THE_CLASS = {
    "asyncio.Condition.acquire",
    "asyncio.Condition.locked",
    "asyncio.Condition.release",
    "asyncio.ProactorEventLoop",
    "hashlib.HASH",
    "sqlite3.Connection.enable_load_extension",
    "subprocess.CompletedProcess.stderr",
    "subprocess.CompletedProcess.stdout",
    "subprocess.Popen.stderr",
    "subprocess.Popen.stdin",
    "subprocess.Popen.stdout",
    "tempfile.TemporaryDirectory.name",
    "threading.Condition.acquire",
    "threading.Condition.release",
    "threading.Lock.acquire",
    "threading.Lock.release",
}
GONE = {"cPickle", "urllib2", "xml.etree.cElementTree"}  # import paths of Python 2 that old code still names as aliases


@functools.cache
def _catalogue() -> Catalogue:
    return parse_files(catalogue_files("python"))


def _names() -> list[str]:
    merged = _catalogue()
    keys = {*merged.types, *merged.calls, *merged.attributes, *merged.decorators, *merged.aliases}
    plain = {key.removesuffix(".*") for key in keys if "()" not in key}
    return sorted(key for key in plain if _is_standard(key))


def _is_standard(name: str) -> bool:
    root = name.partition(".")[0]
    return root not in {"pip", "six"} and (root in sys.stdlib_module_names or hasattr(builtins, root))


def _expected(name: str) -> bool:
    """Whether this Python has the name."""
    covered = [prefix for prefix in (*NEWER, *REMOVED) if name == prefix or name.startswith(f"{prefix}.")]
    version = sys.version_info[:2]
    return all(version >= NEWER.get(each, (3, 0)) and version < REMOVED.get(each, (9, 0)) for each in covered)


def _exists(name: str) -> bool:
    parts = name.split(".")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found, rest = _module(parts)
        for part in rest:
            if part in {"__call__", "__getitem__", "__setitem__"}:
                return True
            if not hasattr(found, part):
                return False
            found = getattr(found, part)
    return True


def _module(parts: list[str]) -> tuple[object, list[str]]:
    """The longest prefix that is a module, and what is left; the built-in names when none is."""
    for end in range(len(parts), 0, -1):
        try:
            return importlib.import_module(".".join(parts[:end])), parts[end:]
        except ImportError:
            continue
    return builtins, parts


def test_there_are_many_names_to_check() -> None:
    assert len(_names()) > 900


def test_standard_library_names_exist() -> None:
    missing = [
        name
        for name in _names()
        if _expected(name)
        and name not in NOT_ON_THE_CLASS
        and name not in GONE
        and not _exists(name)
        and not any(_exists(alias + name[len(owner) :]) for owner, alias in _other_names(name, _catalogue().aliases))
    ]
    assert missing == []


def _other_names(name: str, aliases: dict[str, str]) -> list[tuple[str, str]]:
    """Types that stand for `name`'s owner: a method may live on one of them alone (`ssl.SSLSocket.do_handshake`)."""
    owner = name.rpartition(".")[0]
    return [(owner, alias) for alias, target in aliases.items() if target == owner and _is_standard(alias)]


@pytest.mark.parametrize("name", sorted(NOT_ON_THE_CLASS))
def test_the_exceptions_are_still_needed(name: str) -> None:
    assert name in _names()
