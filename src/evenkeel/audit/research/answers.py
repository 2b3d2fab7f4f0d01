"""Answers kept from run to run, each with the day it was given; a bounded number of small files in the user's cache."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from contextlib import suppress
from datetime import date
from pathlib import Path

import msgspec

from evenkeel.audit.research.provider import Question
from evenkeel.audit.research.reading import Passage

MAX_FILES = 500
MAX_BYTES = 20_000  # of one file


class Kept(msgspec.Struct, frozen=True, gc=False):
    """The passages of one answer, and the day (YYYY-MM-DD) on which they were given."""

    passages: tuple[Passage, ...]
    retrieved: str


class Cache:
    """The folder. What cannot be read or written there is as if it were not there."""

    def __init__(self, folder: Path, today: str, max_age_days: int) -> None:
        self._folder, self._today, self._max_age_days = folder, today, max_age_days

    def get(self, server: str, question: Question) -> Kept | None:
        """The answer that this server gave to this question, unless it is too old."""
        path = self._path(server, question)
        try:
            if path.stat().st_size > MAX_BYTES:
                return None
            kept = msgspec.json.decode(path.read_bytes(), type=Kept)
            age = (date.fromisoformat(self._today) - date.fromisoformat(kept.retrieved)).days
        except (OSError, ValueError, msgspec.MsgspecError):
            return None
        return kept if kept.passages and 0 <= age < self._max_age_days else None

    def put(self, server: str, question: Question, kept: Kept) -> None:
        """Keep an answer; the oldest go when there are too many."""
        data = msgspec.json.encode(kept)
        if len(data) > MAX_BYTES:
            return
        path = self._path(server, question)
        with suppress(OSError):
            self._folder.mkdir(parents=True, exist_ok=True)
            partial = path.with_suffix(".partial")
            partial.write_bytes(data)
            partial.replace(path)

    def trim(self) -> None:
        """Remove the oldest files beyond `MAX_FILES`."""
        with suppress(OSError):
            files = sorted(self._folder.glob("*.json"), key=lambda each: each.stat().st_mtime)
            for each in files[: max(0, len(files) - MAX_FILES)]:
                each.unlink(missing_ok=True)

    def _path(self, server: str, question: Question) -> Path:
        return (
            self._folder / f"{_key((server, question.technology, question.title, question.topic, question.words))}.json"
        )


def _key(parts: Sequence[str]) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]
