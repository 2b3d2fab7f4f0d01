"""Engine, session and pool configuration in Python sources: which factory is called where, with which arguments."""

from __future__ import annotations

import functools
import re
import tomllib
from dataclasses import dataclass, field
from importlib import resources
from typing import TYPE_CHECKING

import msgspec

from evenkeel.audit.discovery.pythontext import Given, Page
from evenkeel.audit.model.profile import Factory, Setting

if TYPE_CHECKING:
    from collections.abc import Iterator

    from evenkeel.audit.discovery.sighting import Sighting

_SECRET = re.compile(r"(?<=://)[^@\s\"'/]*@")
_PLAIN_FACTORIES = frozenset({"Session", "AsyncSession"})  # classes: only a call that configures something counts


class Vocabulary(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`factories.toml`; the file says what each key means."""

    settings: frozenset[str]
    telling: tuple[str, ...]
    nested: frozenset[str]
    django: tuple[str, ...]
    markers: tuple[str, ...]
    factories: dict[str, tuple[str, ...]]


@functools.cache
def vocabulary() -> Vocabulary:
    """The vocabulary that ships; read once a process."""
    text = resources.files(__package__).joinpath("factories.toml").read_text(encoding="utf-8")
    return msgspec.convert(tomllib.loads(text), Vocabulary)


@functools.cache
def _patterns() -> tuple[re.Pattern[str], re.Pattern[str], re.Pattern[str]]:
    """Patterns of a factory's call, of a telling setting given anywhere, and of Django's settings."""
    known = vocabulary()
    factories, telling, django = ("|".join(each) for each in (known.factories, known.telling, known.django))
    return (
        re.compile(rf"(?<!\w)(?P<owner>(?:\w+\.)*)(?P<name>{factories})\s*(?:\[[^\]\n]*\]\s*)?(?P<opening>\()"),
        re.compile(
            rf"(?<![\w.])(?:(?P<keyword>{telling})\s*=(?!=)"
            rf"|[\"'](?P<key>{telling})[\"']\s*(?::|\]\s*=(?!=)))\s*"
        ),
        re.compile(
            rf"(?<!\w)(?:[\"']?(?P<name>{django})[\"']?\]?\s*[:=](?!=)|(?P<url>conn_max_age)\s*=(?!=)"
            r"|SQLALCHEMY_(?P<flask>POOL_SIZE|MAX_OVERFLOW|POOL_TIMEOUT|POOL_RECYCLE)[\"'\]]*\s*=(?!=))\s*"
        ),
    )


@dataclass(slots=True)
class Found:
    """What configuration was read out of source files; `loose` settings stand outside any known factory's call."""

    settings: list[Setting] = field(default_factory=list)
    loose: list[Setting] = field(default_factory=list)
    factories: list[Factory] = field(default_factory=list)
    sightings: list[Sighting] = field(default_factory=list)


def read(page: Page, found: Found) -> None:
    """Add what the page configures."""
    factory, loose, django = _patterns()
    taken: set[int] = set()
    for match in factory.finditer(page.mask):
        if _is_call(page, match):
            taken |= _factory(page, match, found)
    for match in loose.finditer(page.text):
        if match.end() not in taken and page.is_code(match.start()):
            name = match["keyword"] or match["key"]
            found.loose.append(Setting(name, redacted(page.value(match.end())), page.source(match.start())))
    found.settings += [
        _framework_setting(page, match) for match in django.finditer(page.text) if page.is_code(match.start())
    ]


def redacted(text: str) -> str:
    """The text without the user and password of any URL in it."""
    return _SECRET.sub("…@", text)


def _is_call(page: Page, match: re.Match[str]) -> bool:
    before = page.mask[max(0, match.start() - 12) : match.start()].rstrip()
    if before.endswith(("def", "class")) or match["owner"].startswith("self."):
        return False
    words = vocabulary().factories[match["name"]]
    return not words or any(word in page.text for word in words)


def _factory(page: Page, match: re.Match[str], found: Found) -> set[int]:
    """Add one call and its settings; answers with the positions of the values it took."""
    given = page.arguments(match.start("opening"))
    settings = [each for each in _expanded(page, given) if each.keyword in vocabulary().settings]
    call = match["name"]
    if settings or call not in _PLAIN_FACTORIES:
        written = redacted(", ".join(_written(each) for each in given))
        found.factories.append(Factory(call, written[:300], page.source(match.start())))
    found.settings += [
        Setting(each.keyword, redacted(each.value), page.source(each.position), call) for each in settings
    ]
    return {each.position for each in settings}


def _written(given: Given) -> str:
    return f"{given.keyword}={given.value}" if given.keyword.isidentifier() else f"{given.keyword}{given.value}"


def _expanded(page: Page, given: list[Given]) -> Iterator[Given]:
    """The arguments, what dictionaries such as `connect_args` hold, and `**options` that the same file sets."""
    for each in given:
        if each.keyword == "**" and each.value.isidentifier():
            yield from _options(page, each.value)
        elif each.keyword in vocabulary().nested:
            yield from _entries(page, each.position)
            if each.value.isidentifier():
                yield from _options(page, each.value)
        else:
            yield each


def _options(page: Page, name: str) -> Iterator[Given]:
    """`name = {...}`, `name = dict(...)`, `name["key"] = value`."""
    opened = re.compile(rf"(?<![\w.]){name}\s*(?::[^=\n]+)?=\s*(?:dict\s*)?(?P<opening>[({{])")
    for match in opened.finditer(page.mask):
        opening = match.start("opening")
        yield from page.arguments(opening) if page.mask[opening] == "(" else _entries(page, opening)
    for match in re.finditer(rf"(?<![\w.]){name}\[[\"'](?P<key>\w+)[\"']\]\s*=\s*", page.text):
        yield Given(match["key"], page.value(match.end()), match.end())


def _entries(page: Page, start: int) -> Iterator[Given]:
    """`"key": value` pairs with a known key, from `start` to the end of the expression there."""
    end = page.end(start)
    for match in re.compile(r"[\"'](?P<key>\w+)[\"']\s*:\s*").finditer(page.text, start, end):
        if match["key"] in vocabulary().settings:
            yield Given(match["key"], page.value(match.end()), match.end())


def _framework_setting(page: Page, match: re.Match[str]) -> Setting:
    name, call = match["name"] or "CONN_MAX_AGE", "DATABASES"
    if match["flask"]:
        name, call = match["flask"].lower(), "SQLAlchemy"
    return Setting(name, redacted(page.value(match.end())), page.source(match.start()), call)
