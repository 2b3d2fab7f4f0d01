"""The GitHub Action: it parses, no input becomes text of a script, and its shell steps do here what they do there."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ACTION = Path(__file__).parents[2] / "action.yml"
BASH = shutil.which("bash") or ""
HANDLER = """
import time
from fastapi import FastAPI

app = FastAPI()


@app.get("/")
async def home() -> str:
    time.sleep(1)
    return ""
"""

pytestmark = [
    pytest.mark.skipif(not BASH, reason="bash is not there"),
    pytest.mark.timeout(90),  # whole runs in processes of their own
]


def action() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(ACTION.read_text(encoding="utf-8"))
    return loaded


def steps() -> list[dict[str, Any]]:
    return list(action()["runs"]["steps"])


def step(name: str) -> dict[str, Any]:
    return next(each for each in steps() if each.get("name") == name)


def test_it_has_what_github_asks_for() -> None:
    assert {"name", "description", "inputs", "runs"} <= action().keys()
    assert action()["runs"]["using"] == "composite"
    for each in steps():
        assert ("uses" in each) != ("run" in each)
        assert "run" not in each or each["shell"] == "bash"
    assert all("default" in each and "description" in each for each in action()["inputs"].values())


def test_no_expression_stands_in_a_script() -> None:
    assert [each["name"] for each in steps() if "${{" in each.get("run", "")] == []


def test_every_input_is_used_and_every_used_one_is_known() -> None:
    used = set(re.findall(r"inputs\.([a-z-]+)", ACTION.read_text(encoding="utf-8")))
    assert used == action()["inputs"].keys()


@pytest.mark.parametrize("each", [each["name"] for each in steps() if "run" in each])
def test_the_scripts_are_bash(each: str) -> None:
    checked = subprocess.run([BASH, "-n"], input=step(each)["run"], text=True, capture_output=True, check=False)
    assert checked.stderr == ""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    root = tmp_path / "checkout"
    (root / "app").mkdir(parents=True)
    (root / "app/api.py").write_text(HANDLER)
    (root / "pyproject.toml").write_text('[project]\nname = "x"\nversion = "1"\ndependencies = ["fastapi"]\n')
    return root


def audit(checkout: Path, **inputs: str) -> tuple[subprocess.CompletedProcess[str], str]:
    """The step as a runner runs it, with this environment's Python; what it wrote to its outputs."""
    venv = checkout.parent / "venv"
    (venv / "bin").mkdir(parents=True, exist_ok=True)
    python = venv / "bin/python"
    python.unlink(missing_ok=True)
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    outputs = checkout.parent / "outputs"
    outputs.write_text("")
    stated = {
        f"INPUT_{name.upper().replace('-', '_')}": str(each["default"]) for name, each in action()["inputs"].items()
    }
    given = {f"INPUT_{name.upper()}": value for name, value in inputs.items()}
    environment = {**os.environ, **stated, **given, "EVENKEEL_VENV": str(venv), "GITHUB_OUTPUT": str(outputs),
                   "XDG_CACHE_HOME": str(checkout.parent / "cache")}  # fmt: skip
    command = [BASH, "--noprofile", "--norc", "-eo", "pipefail", "-c", step("Audit")["run"]]
    run = subprocess.run(command, cwd=checkout, env=environment, text=True, capture_output=True, check=False)
    return run, outputs.read_text()


def test_it_audits_and_tells_where_the_report_is(checkout: Path) -> None:
    run, outputs = audit(checkout)
    assert run.returncode == 0, run.stderr
    assert outputs == "sarif=evenkeel.sarif\n"
    assert '"2.1.0"' in (checkout / "evenkeel.sarif").read_text()


def test_a_run_that_fails_has_its_report_all_the_same(checkout: Path) -> None:
    run, outputs = audit(checkout, fail_on="high", sarif="found.sarif")
    assert run.returncode == 1
    assert outputs == "sarif=found.sarif\n"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("fail_on", "severe"),
        ("fail_on", "high; touch pwned"),
        ("path", "--version"),
        ("path", "$(touch pwned)"),
        ("path", "app; touch pwned"),
        ("path", "nowhere"),
        ("diff", "--output=pwned"),
        ("baseline", "-x"),
        ("sarif", "pwned"),
        ("sarif", "a\nb.sarif"),
        ("sarif", "a.sarif\nsarif=/etc/passwd\nx.sarif"),
    ],
)
def test_untrusted_inputs_are_refused_and_never_run(checkout: Path, name: str, value: str) -> None:
    run, outputs = audit(checkout, **{name: value})
    assert run.returncode == 2
    assert run.stdout.startswith("::error title=evenkeel::")
    assert run.stdout.count("\n") == 1
    assert value not in run.stdout
    assert outputs == ""
    assert not (checkout / "pwned").exists()


def test_odd_names_are_names(checkout: Path) -> None:
    odd = checkout / "a $(touch pwned) `touch pwned` 'b\" c"
    (checkout / "app").rename(odd)
    run, outputs = audit(checkout, path=odd.name, sarif="it's.sarif")
    assert run.returncode == 0, run.stderr
    assert outputs == "sarif=it's.sarif\n"
    assert not (checkout / "pwned").exists()
