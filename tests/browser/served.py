"""A server of its own process, as a user starts it, for a browser to look at."""

from __future__ import annotations

import os
import queue
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2

KEY = "the-servers-key"
START_S = 30


@dataclass
class Served:
    """Where it is, what it said at its start, and the API for what a test wants to know from outside the browser."""

    url: str
    said: list[str] = field(default_factory=list)

    def link(self) -> str:
        """The one-time link of the first administrator."""
        found = re.search(r"http\S+/#/setup/\S+", "".join(self.said))
        assert found, self.said
        return found.group(0)

    def ask(self, method: str, path: str, token: str = "", **options: Any) -> Any:
        """The `data` of an answer."""
        headers = {"authorization": f"Bearer {token}"} if token else {"x-api-key": KEY}
        answer = httpx2.request(method, f"{self.url}{path}", headers=headers, timeout=20, trust_env=False, **options)
        assert answer.status_code == 200, answer.text
        return answer.json()["data"]

    def user(self, name: str, password: str = "secret words") -> str:
        """Register; the token."""
        body = {"username": name, "password": password}
        return str(self.ask("POST", "/wunder/auth/register", json=body)["access_token"])


@contextmanager
def served(folder: Path, **settings: object) -> Iterator[Served]:
    """`evenkeel serve` on a free port; `settings` by section and key, two underscores between them."""
    environment = {
        **os.environ,
        "EVENKEEL_API_KEY": KEY,
        "EVENKEEL_PASSWORDS__MEMORY_KIB": "64",
        "EVENKEEL_PASSWORDS__TIME_COST": "1",
        "EVENKEEL_AGENT__WORKSPACE__ROOT": str(folder / "workspaces"),
        **{f"EVENKEEL_{key.upper()}": str(value) for key, value in settings.items()},
    }
    command = [sys.executable, "-m", "evenkeel", "serve", "--port", "0", "--sqlite", str(folder / "served.db")]
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as process:
        lines: queue.Queue[str] = queue.Queue()
        reader = threading.Thread(target=_read, args=(process, lines), daemon=True)
        reader.start()
        try:
            yield _started(lines)
        finally:
            process.terminate()
            process.wait(30)
            reader.join(5)


def _read(process: subprocess.Popen[str], lines: queue.Queue[str]) -> None:
    assert process.stderr is not None
    for line in process.stderr:
        lines.put(line)
    lines.put("")


def _started(lines: queue.Queue[str]) -> Served:
    said: list[str] = []
    while True:
        line = lines.get(timeout=START_S)
        assert line, "".join(said)
        said.append(line)
        found = re.match(r"evenkeel serves at (\S+)", line)
        if found:
            said.append(lines.get(timeout=START_S))
            return Served(found.group(1), said)
