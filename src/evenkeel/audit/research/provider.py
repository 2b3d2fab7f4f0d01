"""The port of research: who may know good practice, what is asked, and what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Protocol

import msgspec

from evenkeel.audit.model.briefing import Page

# Why a provider gave nothing more: `offline` includes time-outs and a service that failed; `unconfigured` is what only
# someone with access to the configuration can mend: a missing program, key or extra, tools that are not known.
Failure = Literal["offline", "rate-limited", "unconfigured"]


class Question(msgspec.Struct, frozen=True, gc=False):
    """One topic of one technology. `title` and `words` are all that a provider is told."""

    technology: str  # canonical name, as in the profile
    title: str  # how its users write it; "": there are no words to ask with, only the handbook may know
    topic: str = ""
    words: str = ""


class Answers(msgspec.Struct, frozen=True, gc=False):
    """What a provider gave: pages, the questions they answer, and in words what went wrong, if something did."""

    pages: tuple[Page, ...] = ()
    answered: tuple[Question, ...] = ()
    note: str = ""


class Provider(Protocol):
    """Someone who may know good practice. `name` is what the report calls it."""

    @property
    def name(self) -> str: ...

    def answer(self, questions: Sequence[Question]) -> Answers:
        """What is known, asked once a run. Never raises for a service that fails: the note says so."""
