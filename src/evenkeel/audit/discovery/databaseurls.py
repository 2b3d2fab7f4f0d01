"""Databases that Python sources name: Django's ENGINE, a URL's builder, URL literals where settings are declared."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from evenkeel.audit.discovery.catalogue import catalogue
from evenkeel.audit.discovery.environment import schemes
from evenkeel.audit.discovery.sighting import Sighting

if TYPE_CHECKING:
    from collections.abc import Iterator

    from evenkeel.audit.discovery.pythontext import Page

_ENGINE = re.compile(r"[\"']ENGINE[\"']\s*[:\]][\s=]*[^\n]*?[\"'](?P<engine>[\w.]+\.[\w.]+)[\"']")
_BUILDER = re.compile(
    r"(?:scheme|drivername)\s*=\s*[\"'](?P<scheme>[a-z0-9+_]+)[\"']|URL\.create\(\s*[\"'](?P<first>[a-z0-9+_]+)[\"']"
)
_BUILDER_WORDS = ("scheme", "drivername", "URL.create")
_URL = re.compile(r"[\"'](?P<url>[a-z][a-z0-9+_]*://)")
# A line that asks which database it is, or rewrites a URL, says that several are possible, not which one is used.
_QUESTION = re.compile(r"startswith|removeprefix|\breplace\(|==|\bin\b")


def read(page: Page, *, is_settings: bool) -> Iterator[Sighting]:
    """Sightings of one page. URL literals count only when `is_settings`: elsewhere they are mostly examples."""
    known = catalogue()
    for match in _ENGINE.finditer(page.text) if "ENGINE" in page.text else ():
        name = known.engines.get(match["engine"])
        if name and page.is_code(match.start()):
            yield _sighting(name, page, match)
    for match in _BUILDER.finditer(page.text) if any(word in page.text for word in _BUILDER_WORDS) else ():
        for name in known.of_scheme(match["scheme"] or match["first"]) if page.is_code(match.start()) else ():
            yield _sighting(name, page, match)
    for match in _URL.finditer(page.text) if is_settings and "://" in page.text else ():
        if page.is_code(match.start()) and not _QUESTION.search(_line(page.text, match)):
            for name in schemes(match["url"]):
                yield _sighting(name, page, match)


def _sighting(name: str, page: Page, match: re.Match[str]) -> Sighting:
    return Sighting(name, "configuration", page.path, page.source(match.start()).line)


def _line(text: str, match: re.Match[str]) -> str:
    end = text.find("\n", match.end())
    return text[text.rfind("\n", 0, match.start()) + 1 : end if end > 0 else None]
