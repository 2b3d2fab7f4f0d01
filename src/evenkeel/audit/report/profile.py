"""The profile alone, for `evenkeel discover`: every fact with the file and line it was read from."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from evenkeel.audit.model.profile import Profile, Source
from evenkeel.audit.report.text import plural, printable


def render_text(profile: Profile) -> str:
    """Readable text, one fact a line, sections without facts left out."""
    sections = (
        (
            "Technologies",
            [
                f"{each.role}: {each.name} {each.version}".rstrip() + _from(each.sources)
                for each in profile.technologies
            ],
        ),
        (
            "Settings",
            [f"{each.name} = {each.value}{_default(each.default)}{_from([each.source])}" for each in profile.settings],
        ),
        (
            "Triggers",
            [
                f"{each.event} on {each.table} runs {each.function}{_channel(each.channel)}{_from([each.source])}"
                for each in profile.triggers
            ],
        ),
        ("Listeners", [f"{each.channel}{_from([each.source])}" for each in profile.listeners]),
        ("Migrations", list(profile.migrations)),
        (
            "Decisions",
            [
                f"{each.number} {each.title} ({each.status}){_from([each.source])}".lstrip()
                for each in profile.decisions
            ],
        ),
        ("Tracker", _board(profile)),
        ("Notes", list(profile.notes)),
    )
    blocks = [_block(title, lines) for title, lines in sections if lines]
    return (
        "\n\n".join(blocks or ["Nothing was found: no manifest, compose file or import names a known technology."])
        + "\n"
    )


def published(profile: Profile) -> dict[str, Any]:
    """The profile as plain data; the root is written `.`."""
    return {**msgspec.to_builtins(profile), "root": "."}


def _block(title: str, lines: Iterable[str]) -> str:
    return "\n".join([title, *(f"  {printable(each)}" for each in lines)])


def _from(sources: Iterable[Source]) -> str:
    places = [f"{each.file}:{each.line}" if each.line else each.file for each in sources]
    if not places:
        return ""
    more = f" and {plural(len(places) - 1, 'other')}" if len(places) > 1 else ""
    return f"  [{places[0]}{more}]"


def _channel(channel: str) -> str:
    return f", which notifies {channel}" if channel else ""


def _default(default: str) -> str:
    return f" (default {default})" if default else ""


def _board(profile: Profile) -> list[str]:
    board = profile.board
    if board is None:
        return []
    facts = msgspec.structs.asdict(board)
    lines = [f"{name.replace('_', ' ')}: {value}" for name, value in facts.items() if isinstance(value, str) and value]
    return [f"{line}{_from(board.sources)}" for line in lines]
