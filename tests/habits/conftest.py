"""A tree to adopt evenkeel in, and ways to audit and to run it there."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evenkeel.audit.model.result import AuditResult
from evenkeel.audit.model.settings import AuditSettings
from evenkeel.audit.pipeline import AuditOptions, audit

Run = Callable[..., subprocess.CompletedProcess[str]]
Audit = Callable[..., AuditResult]

JOBS = """
import time

import requests


async def pull(url: str) -> str:
    time.sleep(1)
    return requests.get(url).text


class Worker:
    async def run(self, urls: list[str]) -> list[str]:
        return [fetch(url) for url in urls]


def fetch(url: str) -> str:
    return requests.get(url).text
"""


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is read from or written to the cache of whoever runs the tests."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A small program with three findings: a sleep, a request, and a request through a helper."""
    root = tmp_path / "tree"
    (root / "app").mkdir(parents=True)
    (root / "pyproject.toml").write_text('[project]\nname = "tree"\ndependencies = ["requests>=2"]\n')
    (root / "app" / "__init__.py").write_text("")
    (root / "app" / "jobs.py").write_text(JOBS)
    return root


@pytest.fixture
def audited(tree: Path) -> Audit:
    """Audits the tree; keywords are options, settings first."""

    def run(settings: AuditSettings | None = None, **options: Any) -> AuditResult:
        return audit(tree, AuditOptions(date="2026-02-04", settings=settings or AuditSettings(), **options))

    return run


@pytest.fixture
def evenkeel(tmp_path: Path, tree: Path) -> Run:
    """Runs `python -m evenkeel` with these arguments in the tree."""

    def run(*arguments: str | Path, cwd: Path = tree, **env: str) -> subprocess.CompletedProcess[str]:
        kept = {key: value for key, value in os.environ.items() if key not in {"COLUMNS", "GITHUB_ACTIONS"}}
        return subprocess.run(
            [sys.executable, "-m", "evenkeel", *map(str, arguments)],
            capture_output=True,
            encoding="utf-8",
            env={**kept, "HOME": str(tmp_path), **env},
            cwd=cwd,
            check=False,
        )

    return run


def change(path: Path, old: str, new: str) -> None:
    """Replaces text that must be there once."""
    text = path.read_text()
    assert text.count(old) == 1, old
    path.write_text(text.replace(old, new))


def append(path: Path, text: str) -> None:
    """Adds text at the end."""
    path.write_text(path.read_text() + text)
