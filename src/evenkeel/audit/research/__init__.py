"""Research: what is good practice for the technologies in use, asked once per technology, before any worker starts.

Providers are asked in order; the first that knows a technology answers for it. The handbook that ships is the last.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from evenkeel.audit.model.briefing import Briefing, Page
from evenkeel.audit.model.profile import Profile
from evenkeel.audit.model.result import ConsultedSource
from evenkeel.audit.research.handbook import Handbook

_NOT_ASKED = frozenset({"language"})  # roles about which there is nothing to ask
_EXPECTED = frozenset(
    {"database", "orm", "driver", "web", "async", "queue"}
)  # roles whose lack of an answer is worth a word


class Provider(Protocol):
    """Someone who may know good practice. `name` is what the report calls it."""

    @property
    def name(self) -> str: ...

    def ask(self, technology: str) -> Page | None:
        """What is known about a technology, by its canonical name; None when nothing is."""


def research(profile: Profile, providers: Sequence[Provider] | None = None) -> Briefing:
    """One page for every technology that a provider knows, in the order of the profile."""
    chain = providers if providers is not None else (Handbook(),)
    asked = [each for each in profile.technologies if each.role not in _NOT_ASKED]
    answers = {each.name: _first_answer(each.name, chain) for each in asked}
    return Briefing(
        pages=tuple(page for page in answers.values() if page is not None),
        unanswered=tuple(
            dict.fromkeys(each.name for each in asked if answers[each.name] is None and each.role in _EXPECTED)
        ),
    )


def sources(pages: Iterable[Page]) -> tuple[ConsultedSource, ...]:
    """The pages behind the answers, each address once, in the order of the briefing."""
    found: dict[str, ConsultedSource] = {}
    for page in pages:
        for each in page.advice:
            found.setdefault(each.url, ConsultedSource(_titled(page, each.title), each.url, page.provider))
    return tuple(found.values())


def _first_answer(technology: str, providers: Iterable[Provider]) -> Page | None:
    answers = (provider.ask(technology) for provider in providers)
    return next((each for each in answers if each is not None), None)


def _titled(page: Page, title: str) -> str:
    return title if page.title.lower() in title.lower() else f"{page.title}: {title}"
