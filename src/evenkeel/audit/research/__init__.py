"""Research: what is good practice for the technologies in use, asked once per technology and topic, before any worker.

Providers are asked in order; what the first leaves open, the next is asked. The handbook that ships is the last. A
provider that fails is told in the briefing's notes and costs no more than its deadline.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from evenkeel.audit.model.briefing import Advice, Briefing, Page
from evenkeel.audit.model.profile import Profile
from evenkeel.audit.model.result import ConsultedSource
from evenkeel.audit.research.chain import Caller, build_providers
from evenkeel.audit.research.handbook import Handbook
from evenkeel.audit.research.provider import Answers, Provider, Question
from evenkeel.audit.research.questions import NOT_ASKED, questions

__all__ = ["Answers", "Caller", "Handbook", "Provider", "Question", "build_providers", "research", "sources"]

_EXPECTED = frozenset(
    {"database", "orm", "driver", "web", "async", "queue"}
)  # roles whose lack of an answer is worth a word


def research(
    profile: Profile,
    providers: Sequence[Provider] | None = None,
    progress: Callable[[int, int], None] = lambda *_: None,
) -> Briefing:
    """The providers' pages, by technology in the order of the profile. `progress`: providers done, and of how many."""
    chain = providers if providers is not None else (Handbook(),)
    pending, pages, notes = list(questions(profile)), list[Page](), list[str]()
    for number, provider in enumerate(chain):
        progress(number, len(chain))
        if not pending:
            break
        got = provider.answer(pending)
        pages += got.pages
        notes += [got.note] if got.note else []
        answered = frozenset(got.answered)
        pending = [each for each in pending if each not in answered]
    known = {each.technology for each in pages}
    return Briefing(
        pages=tuple(page for name in _names(profile) for page in pages if page.technology == name),
        unanswered=tuple(each for each in _names(profile, _EXPECTED) if each not in known),
        notes=tuple(notes),
    )


def sources(pages: Iterable[Page]) -> tuple[ConsultedSource, ...]:
    """The pages behind the answers, each address once, in the order of the briefing."""
    found: dict[str, ConsultedSource] = {}
    for page in pages:
        for advice in page.advice:
            for title, url in _links(advice):
                found.setdefault(url, ConsultedSource(_titled(page, title), url, page.provider, page.retrieved))
    return tuple(found.values())


def _names(profile: Profile, roles: frozenset[str] = frozenset()) -> list[str]:
    wanted = (each for each in profile.technologies if each.role not in NOT_ASKED)
    return list(dict.fromkeys(each.name for each in wanted if not roles or each.role in roles))


def _links(advice: Advice) -> list[tuple[str, str]]:
    return [(advice.title, advice.url), *((each.title, each.url) for each in advice.more)]


def _titled(page: Page, title: str) -> str:
    return title if page.title.lower() in title.lower() else f"{page.title}: {title}"
