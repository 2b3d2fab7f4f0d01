"""Wordings: the tables of one language, and how a message is said in it."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache, lru_cache
from pathlib import Path
from typing import Literal, get_args

from evenkeel.audit.wording.templates import Template, build_template, has_holes

Language = Literal["en", "zh"]
LANGUAGES: tuple[Language, ...] = get_args(Language)
SHARED = "shared"  # the table of what several rules say
REPORT = "report"  # the table of everything that no rule says
REMEMBERED = 4_096  # messages; recommendations repeat
_COMMAS = re.compile(r", (?![^(]*\))")  # not those within brackets
_SPAN = re.compile(r"`([^`]+)`")
_AFTER_PUNCTUATION = re.compile(
    r"(?<=[\uff08\uff09\u3001\u3002\uff0c\uff1a\uff1b]) +"
)  # wide punctuation is its own space


@dataclass(frozen=True, slots=True)
class Table:
    """Messages of one origin: those without holes by their text, those with holes, the most telling first."""

    fixed: Mapping[str, str] = field(default_factory=dict)
    templates: tuple[Template, ...] = ()


@dataclass(frozen=True)
class Wording:
    """One language. English has no tables: everything is said in it to begin with."""

    language: Language
    tables: Mapping[str, Table] = field(default_factory=dict)  # rule, or SHARED, or REPORT
    comma: str = ", "
    semicolon: str = "; "
    space: str = " "  # between sentences
    pause: str = ", "  # between parts of a sentence
    colon: str = ": "
    stop: str = ". "

    @property
    def tag(self) -> str:
        """The language as HTML names it."""
        return {"zh": "zh-Hans"}.get(self.language, self.language)

    def __call__(self, message: str, rule: str = "") -> str:
        """The message in this language, or as it is when no template fits. `rule`: who says it; "": the report."""
        return self.said(message, rule) or message

    def said(self, message: str, rule: str = "") -> str | None:
        """The message in this language; None when no template fits."""
        if not self.tables:
            return message
        return _said(self, message, rule)

    def list(self, parts: Iterable[str]) -> str:
        """Several things, separated as this language does it."""
        return self.comma.join(self(each) for each in parts)

    def notes(self, message: str) -> str:
        """Things that stand in a row with commas or semicolons between them, each said for itself."""
        return self.semicolon.join(self._row(each) for each in message.split("; "))

    def sentences(self, parts: Iterable[str]) -> str:
        """Sentences one after the other."""
        return self.space.join(self(each) for each in parts if each)

    def _row(self, text: str) -> str:
        parts = _COMMAS.split(text)
        counted = len(parts) > 1 and all(each[:1].isdigit() for each in parts)
        whole = None if counted else self.said(text)
        return whole if whole is not None else self.list(parts)

    def __hash__(self) -> int:
        return hash(self.language)


ENGLISH = Wording("en")


@cache
def wording_of(language: str) -> Wording:
    """The wording of a language. Raises KeyError for one that evenkeel does not speak."""
    if language == "en":
        return ENGLISH
    folder = Path(__file__).parent / {"zh": "zh"}[language]
    messages: dict[str, dict[str, str]] = {}
    for path in sorted(folder.glob("*.toml")):
        for name, table in tomllib.loads(path.read_text(encoding="utf-8")).items():
            messages.setdefault(name, {}).update(table)
    tables = {name: _table(each) for name, each in messages.items()}
    return Wording("zh", tables, comma="、", semicolon="；", space="", pause="，", colon="：", stop="。")


def _table(messages: Mapping[str, str]) -> Table:
    templates = [build_template(source, target) for source, target in messages.items() if has_holes(source)]
    fixed = {source: target for source, target in messages.items() if not has_holes(source)}
    return Table(fixed, tuple(sorted(templates, key=lambda each: -each.weight)))


@lru_cache(maxsize=REMEMBERED)
def _said(wording: Wording, message: str, rule: str) -> str | None:
    names = (rule, SHARED) if rule else (REPORT,)
    tables = [wording.tables[each] for each in names if each in wording.tables]
    for table in tables:
        if message in table.fixed:
            return table.fixed[message]
    for loose in (False, True):
        for table in tables:
            for each in table.templates:
                found = (each.loose if loose else each.strict).fullmatch(message)
                if found is not None:
                    text = each.filled(found, lambda part: wording(part, rule), wording.comma, wording.semicolon)
                    return spaced(text)
    return None


def _is_wide(character: str) -> bool:
    """Whether it is a Chinese character, and no punctuation; "" is none."""
    return "\u4e00" <= character <= "\u9fff"


def spaced(text: str) -> str:
    """Chinese with one space between it and code, wherever a template or a hole has left it out."""
    parts = _SPAN.split(text)
    for number in range(1, len(parts), 2):
        before, after = parts[number - 1].rstrip(" "), parts[number + 1].lstrip(" ")
        parts[number - 1] = before + (" " if _is_wide(before[-1:]) else parts[number - 1][len(before) :])
        gap = parts[number + 1][: len(parts[number + 1]) - len(after)]
        parts[number + 1] = (" " if _is_wide(after[:1]) else gap) + after
    parts[::2] = [_AFTER_PUNCTUATION.sub("", part) for part in parts[::2]]
    return "".join(f"`{part}`" if number % 2 else part for number, part in enumerate(parts)).strip()
