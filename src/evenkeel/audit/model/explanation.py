"""An explanation of one line of code: what was seen there, what it reaches, and what each rule said of it."""

from __future__ import annotations

from typing import Literal

import msgspec

from evenkeel.audit.model.finding import Finding, Step

Said = Literal["found", "nothing", "not-reached", "not-run", "crashed"]


class ReachedEffect(msgspec.Struct, frozen=True, gc=False):
    """An effect that a call has, and the way to it; one step: the call itself has it."""

    effect: str  # "db-read: User", "network: http (blocks)"
    path: tuple[Step, ...]


class ExplainedCall(msgspec.Struct, frozen=True, gc=False):
    """One call of the line. `implicit` says how the language makes it without its being written."""

    text: str
    line: int
    library: str = ""
    targets: tuple[str, ...] = ()  # functions of the project, with their places
    mode: str = ""  # offload, spawn, gather: how it runs the functions it is given
    reaches: tuple[ReachedEffect, ...] = ()
    certain: bool = True
    implicit: str = ""


class RuleWord(msgspec.Struct, frozen=True, gc=False):
    """What a rule said. `why` explains everything but `found`, whose findings speak for themselves."""

    rule: str
    said: Said
    why: str = ""
    findings: tuple[Finding, ...] = ()


class Explanation(msgspec.Struct, frozen=True, gc=False):
    """One line. `kind` is what its file is for; `problem` says why nothing is known of it, and is "" otherwise."""

    file: str
    line: int
    kind: str = ""
    problem: str = ""
    function: str = ""  # without its module; `<module>` for the module's own code
    is_async: bool = False
    hot: bool = False
    roles: tuple[str, ...] = ()
    entry_path: tuple[Step, ...] = ()
    contexts: tuple[str, ...] = ()
    calls: tuple[ExplainedCall, ...] = ()
    words: tuple[RuleWord, ...] = ()
