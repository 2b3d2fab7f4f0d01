"""What was chosen and sent, kept before it is sent: a run that dies between the two knows next time what it did."""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from evenkeel.kernel.errors import UnavailableError

MAX_FILES = 100


class Record(msgspec.Struct, frozen=True, gc=False):
    """One task: its id, and what became of it. `identifier` and `url` are "" until Linear has answered."""

    id: str
    marker: str
    team: str
    request: dict[str, Any] = {}
    identifier: str = ""
    url: str = ""


class Records:
    """The folder in which they are kept, readable by its owner alone."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def get(self, team: str, marker: str) -> Record | None:
        """The record of that task; None when there is none that can be read."""
        try:
            return msgspec.json.decode(self._path(team, marker).read_bytes(), type=Record)
        except (OSError, ValueError, msgspec.MsgspecError):
            return None

    def put(self, record: Record) -> None:
        """Keep it, on disk before this returns. Raises UnavailableError: nothing may be sent that was not kept."""
        path = self._path(record.team, record.marker)
        partial = path.with_suffix(".partial")
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(msgspec.json.encode(record))
                file.flush()
                os.fsync(file.fileno())
            partial.replace(path)
        except OSError as error:
            raise UnavailableError(
                f"{self._folder} cannot be written: {error.strerror}.",
                hint="The task's id must be kept before it is sent: mend that, or set XDG_STATE_HOME to another folder.",
            ) from error
        self._trim()

    def _trim(self) -> None:
        with suppress(OSError):
            files = sorted(self._folder.glob("*.json"), key=lambda each: each.stat().st_mtime)
            for each in files[: max(0, len(files) - MAX_FILES)]:
                each.unlink(missing_ok=True)

    def _path(self, team: str, marker: str) -> Path:
        return self._folder / f"{hashlib.sha256(f'{team} {marker}'.encode()).hexdigest()[:32]}.json"
