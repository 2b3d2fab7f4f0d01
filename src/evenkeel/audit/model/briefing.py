"""The briefing: what is good practice for the technologies in use, gathered once and before any worker starts."""

from __future__ import annotations

import msgspec

BUILT_IN = "handbook"  # provider name of the pages that ship with evenkeel: built-in, not refreshed


class Advice(msgspec.Struct, frozen=True, gc=False):
    """One practice: a topic within the technology, what holds there, and the page that says so."""

    topic: str  # a short key, unique within its technology: expire_on_commit, bulk-dml
    text: str
    title: str  # of the page
    url: str


class Page(msgspec.Struct, frozen=True, gc=False):
    """Everything one provider answered about one technology. `refreshed` is False for what ships with evenkeel."""

    technology: str  # canonical lower case, as in the profile
    title: str
    provider: str
    advice: tuple[Advice, ...] = ()
    refreshed: bool = False


class Briefing(msgspec.Struct, frozen=True, gc=False):
    """The answers, one page a technology, in the order of the profile; `unanswered` names those nobody knew."""

    pages: tuple[Page, ...] = ()
    unanswered: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()  # providers that were asked and failed, in words for the reader

    def page(self, technology: str) -> Page | None:
        """The page of that technology, if a provider answered."""
        return next((each for each in self.pages if each.technology == technology), None)


def practices(briefing: Briefing) -> dict[str, dict[str, str]]:
    """technology -> topic -> text: the context store's `best_practices`."""
    return {page.technology: {each.topic: each.text for each in page.advice} for page in briefing.pages}
