"""A small backend to audit, and the command to audit it with, as a user runs it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., subprocess.CompletedProcess[str]]

API = """
import pathlib

import requests
from fastapi import FastAPI

app = FastAPI()


def fetch(url: str) -> str:
    return requests.get(url).text


@app.get("/report")
async def report() -> str:
    return pathlib.Path("report.html").read_text() + fetch("https://example.org")
"""
MANIFEST = """
[project]
name = "tiny"
version = "1"
dependencies = ["fastapi==0.118.0", "requests>=2"]
"""


@pytest.fixture
def backend(tmp_path: Path) -> Path:
    """A FastAPI application that blocks its event loop twice, once through a helper."""
    root = tmp_path / "tiny"
    root.mkdir()
    (root / "pyproject.toml").write_text(MANIFEST, encoding="utf-8")
    (root / "api.py").write_text(API, encoding="utf-8")
    return root


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """The environment of a run: a cache of its own, no colour, no width of the caller's."""
    kept = {name: value for name, value in os.environ.items() if name not in {"COLUMNS", "NO_COLOR", "FORCE_COLOR"}}
    return {**kept, "XDG_CACHE_HOME": str(tmp_path / "cache"), "HOME": str(tmp_path)}


@pytest.fixture
def evenkeel(environment: dict[str, str], tmp_path: Path) -> Run:
    """Runs `python -m evenkeel` with these arguments; `env` adds to the environment."""

    def run(*arguments: str | Path, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "evenkeel", *map(str, arguments)]
        return subprocess.run(
            command, capture_output=True, encoding="utf-8", env=environment | (env or {}), cwd=tmp_path, check=False
        )

    return run
