"""What a provider's text says. These servers report failures as success: only the text tells them apart.

The sentences of a server are never repeated: one of them has been seen to hold the caller's key.
"""

from __future__ import annotations

import json
import re
from typing import Any, Literal

import msgspec

Kind = Literal["ok", "empty", "rate-limited", "unconfigured", "offline"]

MAX_TEXT = 200_000  # characters of an answer that are looked at
MAX_PASSAGES = 3  # of an answer
MAX_WORDS = 400  # characters of a passage that are kept


class Passage(msgspec.Struct, frozen=True, gc=False):
    """A piece of documentation and its page."""

    title: str
    url: str
    text: str


class Reading(msgspec.Struct, frozen=True, gc=False):
    """An answer that was understood."""

    kind: Kind
    passages: tuple[Passage, ...] = ()


class Library(msgspec.Struct, frozen=True, gc=False):
    """A library as Context7 knows it: `/org/project`."""

    id: str
    title: str


_URL = r"https?://[^\s<>\"'`()\[\]{}\\^|]{1,500}"
_SOURCE = re.compile(rf"^[ \t]*(?:[-*] )?(?:source|url):[ \t]*({_URL})[ \t]*$", re.IGNORECASE | re.MULTILINE)
_HEADING = re.compile(r"^[ \t]*(?:#{1,6}[ \t]+|title:[ \t]*|overview:[ \t]*)(.+)$", re.IGNORECASE | re.MULTILINE)
_FENCE = re.compile(r"```.*?(?:```|\Z)", re.DOTALL)
_RULE = re.compile(r"^[ \t]*[-=]{8,}[ \t]*$", re.MULTILINE)
_META = re.compile(
    r"^[ \t]*(?:(?:[-*] )?(?:source|url|moduleid|language|title)[ \t]*:|code:[ \t]*$|#).*$", re.IGNORECASE
)
_LABEL = re.compile(r"^[ \t]*(?:description|overview):[ \t]*", re.IGNORECASE)
_LIBRARY = re.compile(r"Library ID:[ \t]*(/[\w.-]+/[\w.-]+(?:/[\w.-]+)?)[ \t]*$", re.IGNORECASE | re.MULTILINE)
_LIBRARY_TITLE = re.compile(r"^[ \t]*(?:- )?(?:Title|Name):[ \t]*(.+?)[ \t]*$", re.MULTILINE)
# How a failure begins, whatever follows: an answer that begins so is never documentation.
_BEGINS = re.compile(
    r"\s*(?:error (?:searching|fetching|during|reading)|failed to |rate.?limited|request failed|unauthori[sz]ed|"
    r"invalid api key|no (?:documentation |code |info )?(?:libraries|documentation|results)\b|documentation not found|"
    r"the library you are trying|ref is not correctly|please verify your email|too many requests)",
    re.IGNORECASE,
)
_WORDS: tuple[tuple[Kind, re.Pattern[str]], ...] = (
    ("rate-limited", re.compile(r"rate.?limit|too many requests|quota|\b429\b", re.IGNORECASE)),
    (
        "unconfigured",
        re.compile(
            r"unauthori[sz]ed|forbidden|api key|not correctly configured|verify your email|sign in|log in|\b40[13]\b",
            re.IGNORECASE,
        ),
    ),
    (
        "empty",
        re.compile(
            r"not found|no (?:\w+ )?(?:results|libraries|documentation)|does not exist|not finalized|\b404\b",
            re.IGNORECASE,
        ),
    ),
    (
        "offline",
        re.compile(
            r"error|failed|fetch|timed? ?out|unavailable|connect|ECONN|ENOTFOUND|try again|\b5\d\d\b", re.IGNORECASE
        ),
    ),
)


def read_documentation(blocks: list[str], fallback_url: str = "") -> Reading:
    """What an answer of a documentation tool holds. `fallback_url`: the page of pieces that name none.

    The blocks are the texts of one result, each at most looked at up to `MAX_TEXT` characters."""
    text = "\n--------\n".join(blocks)[:MAX_TEXT]
    if not _BEGINS.match(text):
        passages = _passages(text, fallback_url) or _from_json(text)
        if passages:
            return Reading("ok", passages[:MAX_PASSAGES])
    return Reading(failure_of(text))


def read_libraries(text: str, wanted: str) -> Library | Kind:
    """The library called `wanted` in the answer to a search for it; else why there is none."""
    text = text[:MAX_TEXT]
    found = [each for each in map(_library, _RULE.split(text)) if each]
    if not found:
        return failure_of(text)
    name = _plain(wanted)
    exact = [each for each in found if name in {_plain(each.title), _plain(each.id.rsplit("/", 1)[-1])}]
    near = [each for each in found if name in _plain(each.title) or name in _plain(each.id)]
    return next(iter([*exact, *near]), "empty")


def failure_of(text: str) -> Kind:
    """The kind of an answer that holds no documentation. A sentence that says nothing known counts as empty."""
    return next((kind for kind, words in _WORDS if words.search(text[:2_000])), "empty")


def _passages(text: str, fallback_url: str) -> tuple[Passage, ...]:
    found: dict[str, Passage] = {}
    for block in _RULE.split(text):
        passage = _passage(block, fallback_url)
        if passage:
            found.setdefault(passage.url, passage)
    return tuple(found.values())


def _passage(block: str, fallback_url: str) -> Passage | None:
    source = _SOURCE.search(block)
    url = source[1].rstrip(".,;") if source else (fallback_url if "```" in block else "")
    if not url:
        return None
    heading = _HEADING.search(block)
    words = _prose(block)
    title = _short(heading[1] if heading else words or url, 120)
    return Passage(title, url, _short(words or title, MAX_WORDS))


def _prose(block: str) -> str:
    lines = (line for line in _FENCE.sub("", block).splitlines() if not _META.match(line))
    return " ".join(" ".join(_LABEL.sub("", line) for line in lines).split())


def _from_json(text: str) -> tuple[Passage, ...]:
    """The shape that one server gives to some clients: a list of objects with title, text and url."""
    try:
        data: Any = json.loads(text)
    except (ValueError, RecursionError):
        return ()
    entries = [each for each in data if isinstance(each, dict)] if isinstance(data, list) else []
    return tuple(
        Passage(
            _short(str(each.get("title", "")) or each["url"], 120), each["url"], _short(str(each.get("text", "")), 400)
        )
        for each in entries
        if isinstance(each.get("url"), str) and re.fullmatch(_URL, each["url"])
    )


def _library(block: str) -> Library | None:
    identity, title = _LIBRARY.search(block), _LIBRARY_TITLE.search(block)
    return Library(identity[1], title[1] if title else identity[1]) if identity else None


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _short(text: str, most: int) -> str:
    """One line of printable text, cut at a word."""
    line = " ".join("".join(each if each.isprintable() else " " for each in text).split())
    return line if len(line) <= most else line[:most].rpartition(" ")[0] + " …"
