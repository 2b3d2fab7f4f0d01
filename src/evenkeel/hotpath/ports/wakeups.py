"""Wake-ups: "look again", between instances.

A wake-up carries keys (a session id, a task's thread), never data: whoever is woken reads the database. It may be lost,
doubled or late, so every listener also looks by itself once in a while (the slow poll); `mode` says what it lives on.

Keys are gathered for some milliseconds and sent apart from the transaction that caused them: a NOTIFY inside it would
put every commit behind one global lock (measured: 59 % fewer commits at 16 writers).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import Enum
from typing import Protocol

Listener = Callable[[Sequence[str]], None]
"""Called on the loop with the distinct keys of one notification; () = "something may have been missed, look at all"."""


class Channel(Enum):
    """What a wake-up is about."""

    EVENTS = "events"
    TASKS = "tasks"
    CANCEL = "cancel"
    OUTBOX = "outbox"
    POSTS = "posts"
    SHARES = "shares"


class Mode(Enum):
    """How wake-ups from other processes arrive."""

    LISTEN = "listen"
    """A live LISTEN connection."""
    LOCAL = "local"
    """This process alone (SQLite): other processes on the file are noticed by the slow poll."""
    POLL = "poll"
    """The LISTEN connection is down and being reopened: the slow poll is all there is."""


class Wakeups(Protocol):
    """One notification channel for the whole process, whatever the number of sessions."""

    @property
    def mode(self) -> Mode:
        """How wake-ups arrive now; also the gauge `evenkeel_storage_wakeup_mode_info`."""
        ...

    def wake(self, channel: Channel, key: str, *, at_once: bool = False) -> None:
        """Wake listeners here at once, and in other instances within the coalescing time (`at_once`: now). Never
        blocks, never raises; the number of gathered keys is bounded: over the bound one "look at all" is sent.
        """
        ...

    def listen(self, channel: Channel, listener: Listener) -> Callable[[], None]:
        """Call `listener` for every wake-up of the channel, from this process and others; answers how to stop.

        After a broken connection every listener is called with () once it is back.
        """
        ...
