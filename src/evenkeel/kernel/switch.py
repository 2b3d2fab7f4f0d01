"""Switches: each names two paths to one result, and why the second is still there.

A switch is read once, at start. `Switchboard.pick` builds for a whole process, `split` for one session when a
path is rolled out to a percentage of sessions: the choice is a stable hash, so a session keeps its path in every
process and through every restart as long as the percentage stays (and only moves towards the optimised path while it
rises).
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import Generic, TypeVar

from evenkeel.kernel.errors import ConfigurationError

T = TypeVar("T")


class Path(Enum):
    """The two sides of every switch; the value is the `path` label of every metric."""

    OPTIMISED = "optimised"
    ROLLBACK = "rollback"


@dataclass(frozen=True, slots=True)
class Switch:
    """One choice between two paths.

    `optimised` and `rollback` name what each path does; `scenario` is the `evenkeel prove` scenario that measures the
    difference; `promise` what the optimised path must hold; `review` the day on which the rollback path's right to
    exist is looked at again; `found_by` the audit rule that reports the rollback path when evenkeel audits itself.
    """

    name: str
    optimised: str
    rollback: str
    scenario: str
    promise: str
    review: dt.date
    found_by: str


@dataclass(frozen=True, slots=True)
class Choice:
    """What was chosen for one switch: `percent` of sessions (0 to 100) take the optimised path."""

    switch: Switch
    percent: int

    @property
    def path(self) -> Path | None:
        """The one path every session takes, or None while sessions are split."""
        return {100: Path.OPTIMISED, 0: Path.ROLLBACK}.get(self.percent)

    def path_for(self, session_id: str) -> Path:
        """The path of one session: stable for a given percentage, in every process."""
        if self.path is not None:
            return self.path
        return Path.OPTIMISED if bucket_of(self.switch.name, session_id) < self.percent else Path.ROLLBACK


def bucket_of(switch_name: str, session_id: str) -> int:
    """0 to 99, from a keyed hash: sessions fall into different buckets for different switches."""
    text = f"{switch_name}\0{session_id}".encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "big") % 100


@dataclass(frozen=True, slots=True)
class Switchboard:
    """Every choice of a process, frozen once read."""

    profile: str
    choices: Mapping[str, Choice]

    def choice(self, name: str) -> Choice:
        """The choice for a switch. Raises `ConfigurationError` for a name that no switch has."""
        try:
            return self.choices[name]
        except KeyError:
            raise unknown_switch(name, self.choices) from None

    def pick(self, name: str, *, optimised: Callable[[], T], rollback: Callable[[], T]) -> T:
        """Build the path that the whole process takes. Raises `ConfigurationError` while the switch splits sessions."""
        path = self.choice(name).path
        if path is None:
            raise ConfigurationError(
                f"switches.{name} is set to a percentage, but this part is built once for all sessions.",
                hint=f'Set switches.{name} to "optimised" or "rollback".',
            )
        return optimised() if path is Path.OPTIMISED else rollback()

    def split(self, name: str, *, optimised: Callable[[], T], rollback: Callable[[], T]) -> BySession[T]:
        """Build what sessions need: one path when all take the same, both while they are split."""
        choice = self.choice(name)
        if choice.path is Path.OPTIMISED:
            return BySession(choice, (one := optimised()), one)
        if choice.path is Path.ROLLBACK:
            return BySession(choice, (one := rollback()), one)
        return BySession(choice, optimised(), rollback())


@dataclass(frozen=True, slots=True)
class BySession(Generic[T]):
    """Both paths of a part and the rule that says which one a session takes."""

    choice: Choice
    optimised: T
    rollback: T

    def of(self, session_id: str) -> T:
        """The path of this session; where all take one, nothing is computed: it is asked for every event."""
        if self.optimised is self.rollback:
            return self.optimised
        return self.optimised if self.choice.path_for(session_id) is Path.OPTIMISED else self.rollback

    @property
    def parts(self) -> tuple[T, ...]:
        """Every distinct part that was built, to open and close."""
        return (self.optimised,) if self.optimised is self.rollback else (self.optimised, self.rollback)


def unknown_switch(name: str, known: Mapping[str, object]) -> ConfigurationError:
    """The error for a switch that does not exist."""
    return ConfigurationError(f"There is no switch named {name!r}.", hint=f"Known: {', '.join(sorted(known))}.")


def percent_of(name: str, value: str | int) -> int:
    """The percentage that a setting means: a path's name, `"25%"`, or 0 to 100.

    Raises `ConfigurationError` for anything else.
    """
    words = {Path.OPTIMISED.value: 100, Path.ROLLBACK.value: 0}
    text = str(value).strip()
    if text in words:
        return words[text]
    number = text.removesuffix("%")
    if number.isascii() and number.isdigit() and int(number) <= 100:
        return int(number)
    raise ConfigurationError(
        f"switches.{name} is {value!r}.", hint='Use "optimised", "rollback", or a percentage such as "25%".'
    )


def board(table: tuple[Switch, ...], profile: str, settings: Mapping[str, str | int]) -> Switchboard:
    """Read the settings once: every switch takes the profile's path unless `settings` names it.

    Raises `ConfigurationError` for an unknown profile, an unknown switch, or a value that means no path.
    """
    base = percent_of("profile", profile)
    known = {switch.name: switch for switch in table}
    for name in settings:
        if name not in known:
            raise unknown_switch(name, known)
    choices = {name: Choice(known[name], percent_of(name, settings.get(name, base))) for name in known}
    return Switchboard(profile, MappingProxyType(choices))
