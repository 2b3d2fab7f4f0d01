"""Decision records and documented plans, with their status: a superseded one must not excuse anything."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from evenkeel.audit.discovery.markdown import clean, without_comments
from evenkeel.audit.discovery.tree import Tree, is_sample, line_at
from evenkeel.audit.model.profile import Decision, Source

if TYPE_CHECKING:
    from collections.abc import Iterator

_RECORD = re.compile(
    r"(?:^|/)(?:docs?(?:/[\w-]+)?/)?(?:adrs?|decisions|decision-records|architecture/decisions)/(?:[^/]+/)?[^/]+\.(?:md|rst|adoc|txt)$",
    re.IGNORECASE,
)
_PLAN = re.compile(
    r"(?:^|/)docs?/(?:[\w-]+/)?(?:plans?|roadmaps?)/[^/]+\.md$|(?:^|/)docs?/(?:[\w-]+/)?(?:plan|roadmap)\.md$",
    re.IGNORECASE,
)
_NOT_A_RECORD = re.compile(r"(?:^|/)(?:readme|index|_?template|adr[-_]?template|toc|0+-template)[^/]*$", re.IGNORECASE)
_TITLE = re.compile(
    r"^#[ \t]+(?P<title>.+?)[ \t#]*$|^(?P<underlined>[^\s#][^\n]*)\n[=]{3,}[ \t]*$|^=[ \t]+(?P<adoc>.+)$", re.MULTILINE
)
_NUMBER = re.compile(r"^(?:adr[-_ #]*)?0*(?P<number>\d+)\b\s*[-.:–—_)]*\s*", re.IGNORECASE)
_FILE_NUMBER = re.compile(r"(?:^|/)(?:adr[-_]?)?0*(?P<number>\d{1,5})[-_.][^/]*$", re.IGNORECASE)
_STATUS = re.compile(
    r"^[ \t]*(?:[-*+][ \t]+)?(?:[^\n]*\|[ \t]*)?\**[\"']?Status\**[\"']?[ \t]*[:|=][ \t]*\**[ \t]*(?P<value>[^|\n]+)",
    re.IGNORECASE | re.MULTILINE,
)
_SECTION_FLAGS = re.IGNORECASE | re.MULTILINE | re.DOTALL
_STATUS_HEADING = re.compile(r"^#{1,6}[ \t]+(?:\d+\.?[ \t]+)?Status[ \t#]*$(?P<body>.*?)(?=^#|\Z)", _SECTION_FLAGS)
_STATUS_UNDERLINED = re.compile(
    r"^Status[ \t]*\n[-=~]{3,}[ \t]*$(?P<body>.*?)(?=^[^\n]+\n[-=~]{3,}[ \t]*$|\Z)", _SECTION_FLAGS
)
_STRUCK = re.compile(r"~~.*?~~")
_WITHDRAWN = re.compile(
    r"\b(supersed\w*|superced\w*|replaced|obsolete\w*|deprecated|rejected|declined|withdrawn|abandoned)\b",
    re.IGNORECASE,
)
_SYNONYMS = {
    "superceded": "superseded",
    "replaced": "superseded",
    "obsolete": "superseded",
    "obsoleted": "superseded",
    "declined": "rejected",
    "withdrawn": "rejected",
    "abandoned": "rejected",
}
UNSTATED = "accepted (not stated)"
MAX_RECORDS = 1_000
_RECORD_BYTES = 100_000
_TEXT_LENGTH = 6_000


def find(tree: Tree) -> list[Decision]:
    """Decision records sorted by folder and name, then plans. Indexes and templates are left out."""
    records = [path for path in tree.matching(("md", "rst", "adoc", "txt"), _RECORD) if _is_record(path)]
    plans = [path for path in tree.matching(("md",), _PLAN) if _is_record(path)]
    found = [decision for path in records[:MAX_RECORDS] for decision in _record(tree, path)]
    return found + [decision for path in plans[:MAX_RECORDS] for decision in _plan(tree, path)]


def status(text: str) -> tuple[str, int]:
    """A record's status in lower case and the position at which it stands; ("", 0) when it states none.

    Takes `**Status:** Accepted` in a line with other fields, `Status: Superseded by ADR-9`, front matter, a table row,
    and a section of that name, whose later lines may take back what the first one says."""
    for pattern in (_STATUS_HEADING, _STATUS_UNDERLINED):
        if match := pattern.search(text):
            body = _STRUCK.sub("", match["body"])
            withdrawn = _WITHDRAWN.search(body)
            first = next((line for line in body.split("\n") if line.strip()), "")
            value = body[withdrawn.start() :].split("\n")[0] if withdrawn else first
            if value.strip():
                return _folded(value), match.start()
    if match := _STATUS.search(text):
        return _folded(_STRUCK.sub("", match["value"])), match.start()
    return "", 0


def _is_record(path: str) -> bool:
    return not is_sample(path) and not _NOT_A_RECORD.search(path)


def _folded(value: str) -> str:
    text = re.sub(r"^[^\w]+|[\s*_.\"']+$", "", clean(value)).lower()
    first, _, rest = text.partition(" ")
    return f"{_SYNONYMS.get(first, first)} {rest}".strip()


def _record(tree: Tree, path: str) -> Iterator[Decision]:
    text = without_comments(tree.text(path, _RECORD_BYTES))
    if text.strip():
        number, title, line = _heading(path, text)
        stated, _ = status(text)
        yield Decision(number, title, stated or UNSTATED, Source(path, line), text.strip()[:_TEXT_LENGTH])


def _plan(tree: Tree, path: str) -> Iterator[Decision]:
    text = without_comments(tree.text(path, _RECORD_BYTES))
    if text.strip():
        _, title, line = _heading(path, text)
        stated, _ = status(text)
        yield Decision("", title, stated or "planned", Source(path, line), text.strip()[:_TEXT_LENGTH])


def _heading(path: str, text: str) -> tuple[str, str, int]:
    """Number, title and line of the first heading; the file name stands in for what it lacks."""
    match = _TITLE.search(text)
    stem = path.rpartition("/")[2].rpartition(".")[0]
    written = clean(match["title"] or match["underlined"] or match["adoc"]) if match else stem.replace("-", " ")
    numbered = _NUMBER.match(written)
    from_file = _FILE_NUMBER.search(path)
    number = numbered["number"] if numbered else from_file["number"] if from_file else ""
    title = written[numbered.end() :] if numbered else written
    return number, title.strip() or written, line_at(text, match.start()) if match else 1
