"""The handbook and the chain of providers."""

from __future__ import annotations

import re
from collections.abc import Sequence

from evenkeel.audit.model.briefing import Advice, Page, practices
from evenkeel.audit.model.profile import Profile, Role, Technology
from evenkeel.audit.research import Answers, Question, research, sources
from evenkeel.audit.research.handbook import Handbook, _sheets

OFFICIAL = re.compile(r"https://[a-z0-9.-]+\.[a-z]+(/\S*)?")


def _profile(**roles: Role) -> Profile:
    technologies = tuple(Technology(name, role) for name, role in roles.items())
    return Profile(root=".", technologies=technologies)


class Expert:
    """A provider that knows one topic of one technology and counts how often it is asked."""

    def __init__(self, technology: str, topic: str) -> None:
        self.name = "expert"
        self.asked: list[Question] = []
        self._known = (technology, topic)

    def answer(self, questions: Sequence[Question]) -> Answers:
        self.asked += questions
        known = tuple(each for each in questions if (each.technology, each.topic) == self._known)
        advice = (Advice(self._known[1], "Keep them short.", "Sessions", "https://example.org/sessions"),)
        pages = (Page(self._known[0], "Expert page", self.name, advice, refreshed=True, retrieved="2026-02-04"),)
        return Answers(pages if known else (), known)


def test_every_sheet_is_complete_and_named_after_its_technology() -> None:
    sheets = _sheets()
    assert len(sheets) > 20
    for sheet in sheets:
        assert sheet.advice, sheet.technology
        topics = [each.topic for each in sheet.advice]
        assert len(set(topics)) == len(topics), sheet.technology
        for each in sheet.advice:
            assert OFFICIAL.fullmatch(each.url), each.url
            assert each.text.endswith("."), each.text
            assert each.title
    names = [name for sheet in sheets for name in (sheet.technology, *sheet.covers)]
    assert len(set(names)) == len(names)


def test_the_handbook_knows_the_common_stacks() -> None:
    book = Handbook()
    wanted = (
        "sqlalchemy sqlmodel postgresql mysql mariadb sqlite mongodb asyncio fastapi starlette django django-orm flask "
        "litestar aiohttp psycopg psycopg2 asyncpg aiosqlite tortoise peewee redis celery arq dramatiq httpx requests"
    )
    missing = [name for name in wanted.split() if book.page(name) is None]
    assert missing == []
    assert book.page("abacus") is None


def test_each_topic_is_asked_once_and_the_handbook_fills_what_is_open() -> None:
    expert = Expert("sqlalchemy", "session-lifecycle")
    profile = _profile(python="language", sqlalchemy="orm", postgresql="database", abacus="driver", ink="other")
    briefing = research(profile, (expert, Handbook()))
    assert {each.technology for each in expert.asked} == {"sqlalchemy", "postgresql", "abacus", "ink"}
    assert len(expert.asked) == len(set(expert.asked))
    assert [(each.technology, each.provider) for each in briefing.pages] == [
        ("sqlalchemy", "expert"),
        ("sqlalchemy", "handbook"),
        ("postgresql", "handbook"),
    ]
    assert briefing.unanswered == ("abacus",)
    assert practices(briefing)["sqlalchemy"]["session-lifecycle"] == "Keep them short."
    assert "expire_on_commit" in practices(briefing)["sqlalchemy"]
    assert "notify" in practices(briefing)["postgresql"]


def test_a_source_says_who_brought_it_and_when() -> None:
    profile = _profile(sqlalchemy="orm")
    found = sources(research(profile, (Expert("sqlalchemy", "session-lifecycle"), Handbook())).pages)
    assert found[0].origin == "expert, retrieved 2026-02-04"
    assert found[1].origin == "handbook: built-in, not refreshed"


def test_sources_are_what_was_used_each_once() -> None:
    found = sources(research(_profile(django="web", celery="queue")).pages)
    urls = [each.url for each in found]
    assert len(urls) == len(set(urls)) > 3
    assert {each.provider for each in found} == {"handbook"}
    assert sources(()) == ()
