"""The briefing: what is good practice for the technologies in use, gathered once and before any worker starts."""

from __future__ import annotations

import msgspec

BUILT_IN = "handbook"  # provider name of the pages that ship with evenkeel: built-in, not refreshed


class Link(msgspec.Struct, frozen=True, gc=False):
    """A page to read."""

    title: str
    url: str


class Advice(msgspec.Struct, frozen=True, gc=False):
    """One practice: a topic within the technology, what holds there, and the page that says so."""

    topic: str  # a short key, unique within its technology: expire_on_commit, bulk-dml
    text: str
    title: str  # of the page
    url: str
    more: tuple[Link, ...] = ()  # further pages that the provider named for this topic


class Page(msgspec.Struct, frozen=True, gc=False):
    """What one provider answered about one technology. `refreshed` is False for what ships with evenkeel."""

    technology: str  # canonical lower case, as in the profile
    title: str
    provider: str
    advice: tuple[Advice, ...] = ()
    refreshed: bool = False
    retrieved: str = ""  # YYYY-MM-DD when the provider gave it, perhaps in an earlier run; "" for what ships


class Briefing(msgspec.Struct, frozen=True, gc=False):
    """The answers in the order of the profile, per technology in the order of the providers; `unanswered` names the
    technologies that nobody knew."""

    pages: tuple[Page, ...] = ()
    unanswered: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()  # providers that were asked and failed, in words for the reader

    def page(self, technology: str) -> Page | None:
        """The page of that technology, if a provider answered."""
        return next((each for each in self.pages if each.technology == technology), None)


def practices(briefing: Briefing) -> dict[str, dict[str, str]]:
    """technology -> topic -> text: the context store's `best_practices`. Of two answers to a topic the first holds."""
    found: dict[str, dict[str, str]] = {}
    for page in briefing.pages:
        topics = found.setdefault(page.technology, {})
        for each in page.advice:
            topics.setdefault(each.topic, each.text)
    return found
