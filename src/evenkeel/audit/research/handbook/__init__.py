"""The handbook: one short page a technology, as data beside this file, every statement with its official page.

Written by hand and not refreshed. A page may cover several canonical names (`covers`): clients of one database.
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from importlib import resources

import msgspec

from evenkeel.audit.model.briefing import BUILT_IN, Advice, Page
from evenkeel.audit.research.provider import Answers, Question

_SUFFIX = ".toml"


class _Sheet(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    technology: str
    title: str
    advice: tuple[Advice, ...]
    covers: tuple[str, ...] = ()


class Handbook:
    """Answers from the pages that ship. They are read once, when it is made."""

    name = BUILT_IN

    def __init__(self) -> None:
        sheets = _sheets()
        self._by_name = {name: each for each in sheets for name in each.covers} | {
            each.technology: each for each in sheets
        }

    def answer(self, questions: Sequence[Question]) -> Answers:
        """The whole page of every technology that a question is about."""
        names = dict.fromkeys(each.technology for each in questions)
        pages = {name: page for name in names if (page := self.page(name))}
        return Answers(tuple(pages.values()), tuple(each for each in questions if each.technology in pages))

    def page(self, technology: str) -> Page | None:
        """The page of that technology; None when there is none."""
        sheet = self._by_name.get(technology)
        return Page(technology, sheet.title, self.name, sheet.advice) if sheet else None


def _sheets() -> list[_Sheet]:
    folder = resources.files(__name__)
    names = sorted(each.name for each in folder.iterdir() if each.name.endswith(_SUFFIX))
    return [msgspec.convert(tomllib.loads((folder / name).read_text(encoding="utf-8")), _Sheet) for name in names]
