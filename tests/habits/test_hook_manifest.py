"""The pre-commit hook: the keys that pre-commit asks for, and a command that exists and does what it says."""

from __future__ import annotations

import shlex
from pathlib import Path

import yaml

from tests.habits.conftest import Run

MANIFEST = Path(__file__).parents[2] / ".pre-commit-hooks.yaml"
HANDLER = """
import time
from fastapi import FastAPI

app = FastAPI()


@app.get("/")
async def home() -> str:
    time.sleep(1)
    return ""
"""


def test_the_hook_fails_on_new_findings_alone(evenkeel: Run, tree: Path) -> None:
    (hook,) = yaml.safe_load(MANIFEST.read_text(encoding="utf-8"))
    assert {"id", "name", "entry", "language"} <= set(hook)
    assert hook["pass_filenames"] is False
    arguments: list[str] = hook["args"]
    command, *words = [*shlex.split(hook["entry"]), *arguments]
    assert command == "evenkeel"
    (tree / "app/api.py").write_text(HANDLER)
    found = evenkeel(*words)
    assert found.returncode == 1, found.stdout + found.stderr
    assert found.stdout.startswith("app/api.py:10: HIGH ")
    (tree / "evenkeel.toml").write_text('baseline = "evenkeel-baseline.json"\n')
    assert evenkeel("baseline", "create").returncode == 0
    assert evenkeel(*words).returncode == 0
