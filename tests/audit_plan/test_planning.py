"""The plan's tables: whole, in both languages, and true to the parts, the switches and the pages that they name."""

from __future__ import annotations

import pkgutil
import re
from pathlib import Path

import pytest

from evenkeel import hotpath
from evenkeel.audit.planning import Remedy, RuleTexts, remedies, texts
from evenkeel.audit.rules import all_rules
from evenkeel.audit.wording import LANGUAGES
from evenkeel.hotpath.switches import SWITCHES

REPOSITORY = Path(__file__).parents[2]
RULES = {each.slug: each for each in all_rules()}
ENTRIES = sorted(remedies())
NUMBER = re.compile(r"\d[\d,.]*\d|\d")
NO_FIGURES = re.compile(r"P\d\d?|`[^`]*`")  # percentiles, and code


def test_every_rule_has_a_remedy_and_texts_in_every_language() -> None:
    named = {each.instead for each in remedies().values() if each.instead}
    assert set(remedies()) == set(RULES) | named
    for language in LANGUAGES:
        assert set(texts(language).rules) == set(remedies())
        assert set(texts(language).scenarios) == {"S1", "S2", "S3", "S4"}


@pytest.mark.parametrize("entry", ENTRIES)
@pytest.mark.parametrize("language", LANGUAGES)
def test_no_text_is_empty_or_left_in_the_other_language(language: str, entry: str) -> None:
    own = texts(language).rules[entry]
    for name in RuleTexts.__struct_fields__:
        text: str = getattr(own, name)
        if name in {"accept", "risk"} and not remedies()[entry].scenarios:
            continue  # an ordinary change, which no scenario shows
        wide = len(re.findall(r"[\u4e00-\u9fff]", text))
        assert text, name
        assert (wide > 1) == (language == "zh"), text
        assert name == "title" or text[-1] in ".。", text


def test_titles_are_those_of_the_rules() -> None:
    assert {slug: texts("en").rules[slug].title for slug in RULES} == {slug: rule.title for slug, rule in RULES.items()}


def test_switches_and_parts_are_those_of_the_hot_path() -> None:
    by_name = {each.name: each for each in SWITCHES}
    rooms = {each.name for each in pkgutil.iter_modules(hotpath.__path__)}
    assert {each.part for each in remedies().values() if each.part} <= rooms
    assert {each.switch for each in remedies().values() if each.switch} <= set(by_name)
    for switch in SWITCHES:
        own = remedies()[switch.found_by]
        answers = {each.switch for each in [own, *([remedies()[own.instead]] if own.instead else [])]}
        shared = answers & {each.name for each in SWITCHES if each.found_by == switch.found_by}
        assert shared, switch.name  # one rule may find the old paths of two parts; its answer names one of them
    assert {each.name for each in SWITCHES} <= {each.switch for each in remedies().values()}
    for each in remedies().values():
        if each.switch:
            assert each.part == ("writes" if each.switch == "overflow" else each.switch)


@pytest.mark.parametrize("entry", ENTRIES)
def test_every_number_of_a_gain_stands_on_the_page_that_it_names(entry: str) -> None:
    remedy: Remedy = remedies()[entry]
    assert bool(remedy.page) == bool(remedy.quotes)
    page = (REPOSITORY / remedy.page).read_text(encoding="utf-8") if remedy.page else ""
    flat = " ".join(page.split())
    for quote in remedy.quotes:
        assert quote in flat, f"{remedy.page} does not say {quote!r}"
    known = set(NUMBER.findall(" ".join(remedy.quotes)))
    for language in LANGUAGES:
        said = set(NUMBER.findall(NO_FIGURES.sub("", texts(language).rules[entry].gain)))
        assert said <= known, f"{entry}, {language}: {sorted(said - known)} have no source"


def test_figures_are_named_in_every_language_and_used() -> None:
    used = {name for each in remedies().values() for name in each.figures}
    for language in LANGUAGES:
        assert set(texts(language).figures) == used
