"""Engine, session and pool configuration in Python sources: which factory is called where, with which arguments."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from evenkeel.audit.discovery.factories import calls, vocabulary
from evenkeel.audit.discovery.pythontext import Given, Page
from evenkeel.audit.model.profile import Factory, Setting

if TYPE_CHECKING:
    from collections.abc import Iterator

_SECRET = re.compile(r"(?<=://)[^@\s\"'/]*@")
_PLAIN_CLASSES = frozenset({"Session", "AsyncSession"})  # called all over: the first call of a file is enough
_MENTION = r"(?:[\"'](?:\s*:|\s*\]\s*=(?!=))|\s*=(?!=))\s*"  # `word=`, `"word":`, `["word"] =`
_FRAMEWORK_NAMES = {  # settings whose name differs from the factory's argument: (canonical name, who reads it)
    "conn_max_age": ("CONN_MAX_AGE", "DATABASES"),
    "SQLALCHEMY_POOL_SIZE": ("pool_size", "SQLAlchemy"),
    "SQLALCHEMY_MAX_OVERFLOW": ("max_overflow", "SQLAlchemy"),
    "SQLALCHEMY_POOL_TIMEOUT": ("pool_timeout", "SQLAlchemy"),
    "SQLALCHEMY_POOL_RECYCLE": ("pool_recycle", "SQLAlchemy"),
}


@dataclass(slots=True)
class Found:
    """What configuration was read out of source files; `loose` settings stand outside any known factory's call."""

    settings: list[Setting] = field(default_factory=list)
    loose: list[Setting] = field(default_factory=list)
    factories: list[Factory] = field(default_factory=list)


def read(page: Page, found: Found) -> None:
    """Add what the page configures."""
    taken: set[int] = set()
    for start, name, opening in calls(page):
        taken |= _factory(page, name, start, page.arguments(opening), found)
    for name, match in _mentions(page, vocabulary().telling):
        value = page.value(match.end())
        if match.end() not in taken and is_plain(value):
            found.loose.append(Setting(name, redacted(value), page.source(match.start())))
    names = vocabulary().django if "DATABASES" in page.text else ()
    for name, match in _mentions(page, (*names, *_FRAMEWORK_NAMES)):
        canonical, call = _FRAMEWORK_NAMES.get(name, (name, "DATABASES"))
        value = page.value(match.end())
        if is_plain(value):
            found.settings.append(Setting(canonical, redacted(value), page.source(match.start()), call))


def is_plain(value: str) -> bool:
    """Whether a value can be a setting's: a list or dictionary under such a name is a table of something else."""
    return bool(value) and value[0] not in "([{"


def redacted(text: str) -> str:
    """The text without the user and password of any URL in it."""
    return _SECRET.sub("…@", text)


def _factory(page: Page, name: str, start: int, given: list[Given], found: Found) -> set[int]:
    """Add one call and its settings; answers with the positions of the values it took."""
    settings = [each for each in _expanded(page, given) if each.keyword in vocabulary().settings]
    is_first = all(each.call != name or each.source.file != page.path for each in found.factories[-3:])
    if settings or name not in _PLAIN_CLASSES or is_first:
        written = redacted(", ".join(_written(each) for each in given))
        found.factories.append(Factory(name, written[:300], page.source(start)))
    found.settings += [
        Setting(each.keyword, redacted(each.value), page.source(each.position), name) for each in settings
    ]
    return {each.position for each in settings}


def _written(given: Given) -> str:
    return f"{given.keyword}={given.value}" if given.keyword.isidentifier() else f"{given.keyword}{given.value}"


def _expanded(page: Page, given: list[Given]) -> Iterator[Given]:
    """The arguments, what dictionaries such as `connect_args` hold, and `**options` that the same file sets."""
    for each in given:
        if each.keyword == "**" or each.keyword in vocabulary().nested:
            yield from _options(page, each.value) if each.value.isidentifier() else _entries(page, each.position)
        else:
            yield each


def _options(page: Page, name: str) -> Iterator[Given]:
    """`name = {...}`, `name = dict(...)`, `name["key"] = value`."""
    for match in re.finditer(rf"\b{name}\s*(?::[^=\n]+)?=\s*(?:dict\s*)?(?P<opening>[({{])", page.mask):
        opening = match.start("opening")
        yield from page.arguments(opening) if page.mask[opening] == "(" else _entries(page, opening)
    for match in re.finditer(rf"\b{name}\[[\"'](?P<key>\w+)[\"']\]\s*=\s*", page.text):
        yield Given(match["key"], page.value(match.end()), match.end())


def _entries(page: Page, start: int) -> Iterator[Given]:
    """`"key": value` pairs with a known key, from `start` to the end of the expression there."""
    for match in re.compile(r"[\"'](?P<key>\w+)[\"']\s*:\s*").finditer(page.text, start, page.end(start)):
        if match["key"] in vocabulary().settings:
            yield Given(match["key"], page.value(match.end()), match.end())


@functools.cache
def _mention(word: str) -> re.Pattern[str]:
    return re.compile(word + _MENTION)


def _mentions(page: Page, words: tuple[str, ...]) -> Iterator[tuple[str, re.Match[str]]]:
    """Where a word is given a value. One search a word, each starting with plain text: most words stand in no file."""
    for word in words:
        for match in _mention(word).finditer(page.text) if word in page.text else ():
            if _is_whole(page, match.start(), match[0][len(word)]):
                yield word, match


def _is_whole(page: Page, start: int, after: str) -> bool:
    """Whether the word at `start` is no part of a longer one, of text in a string, or of a comment."""
    before = page.text[start - 1 : start]
    if after in "\"'":
        return before == after and page.is_code(start - 1)
    return not before.isalnum() and before not in {"_", ".", '"', "'"} and page.is_code(start)
