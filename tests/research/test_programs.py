"""Servers that are programs: what they are told, what they are given, and that none outlives its deadline."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from evenkeel import __version__
from evenkeel.audit.model.profile import Profile, Technology
from evenkeel.audit.model.settings import ResearchSettings, ServerSettings
from evenkeel.audit.research import Caller, build_providers, research
from evenkeel.audit.research.questions import read_topics
from tests.cli.conftest import Run

pytestmark = pytest.mark.timeout(90)  # whole runs in processes of their own
SERVER = Path(__file__).with_name("recording_server.py")
PROFILE = Profile(root=".", technologies=(Technology("sqlalchemy", "orm"), Technology("postgresql", "database")))
VARIABLES = ("EVENKEEL_RESEARCH_LOG", "EVENKEEL_RESEARCH_MODE")


def asked(log: Path, mode: str = "", deadline: float = 15.0) -> tuple[Any, dict[str, Any]]:
    """The briefing, and what the server knew of itself."""
    server = ServerSettings(command=(sys.executable, str(SERVER)), env=VARIABLES)
    settings = ResearchSettings(providers=("ours", "handbook"), servers={"ours": server}, deadline=deadline)
    environment = {**os.environ, "EVENKEEL_RESEARCH_LOG": str(log), "EVENKEEL_RESEARCH_MODE": mode, "AWS_SECRET": "s"}
    briefing = research(PROFILE, build_providers(settings, Caller(environment, "2026-02-04", asked=True)))
    return briefing, json.loads(log.with_suffix(".state").read_text())


def strings(value: Any) -> Iterator[str]:
    """Every string in a message, keys too."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, each in value.items():
            yield key
            yield from strings(each)
    elif isinstance(value, list):
        for each in value:
            yield from strings(each)


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


PROTOCOL = {
    "jsonrpc", "2.0", "id", "method", "params", "name", "version", "arguments", "query", "_meta", "progressToken",
    "initialize", "notifications/initialized", "tools/list", "tools/call", "server/discover", "capabilities", "clientInfo",
    "protocolVersion", "search_documentation", "cursor", "evenkeel", __version__,
}  # fmt: skip


def test_nothing_but_names_and_topics_leaves_the_machine(
    tmp_path: Path, evenkeel: Run, backend: Path, environment: dict[str, str]
) -> None:
    """A whole run over a tree full of private names; every string in every byte that was sent is accounted for."""
    log = tmp_path / "log"
    (backend / "secret_models.py").write_text(
        "from sqlalchemy.orm import Session\nfrom sqlalchemy import text\n"
        "def settle(session: Session, ledger_name: str) -> None:\n    session.execute(text('SELECT * FROM secret_ledger'))\n"
    )
    (backend / "requirements.txt").write_text("acme-secret-client==1\nsqlalchemy==2.0.40\npsycopg==3.2\n")
    (backend / "docker-compose.yml").write_text("services:\n  secret-db:\n    image: postgres:16-alpine\n")
    (backend / "evenkeel.toml").write_text(
        f'[research]\nproviders = ["ours", "handbook"]\n[research.servers.ours]\n'
        f"command = ['{sys.executable}', '{SERVER}']\nenv = ['EVENKEEL_RESEARCH_LOG']\n"
    )
    run = evenkeel("audit", backend, "--research", "--format", "json", env={"EVENKEEL_RESEARCH_LOG": str(log)})
    assert run.returncode == 0, run.stderr
    messages = [json.loads(line) for line in log.read_bytes().splitlines()]
    topics = read_topics()
    sentences = {
        f"{entry.title} {words}"
        for entry in topics.technologies.values()
        for words in {**entry.topics, **{w: w for role in topics.roles.values() for w in role.values()}}.values()
    }
    sent = {each for message in messages for each in strings(message)}
    unexplained = {
        each for each in sent - PROTOCOL - sentences if not each.startswith(("io.modelcontextprotocol/", "20"))
    }
    assert unexplained == set()
    assert {each for each in sent if "session" in each} == {"SQLAlchemy session lifecycle"}
    assert sum(message["method"] == "tools/call" for message in messages) > 8
    brought = [each for each in json.loads(run.stdout)["sources"] if each["provider"] == "ours"]
    assert brought
    assert all(each["retrieved"] for each in brought)


def test_a_program_gets_the_variables_it_is_given_and_no_others(tmp_path: Path) -> None:
    briefing, state = asked(tmp_path / "log")
    assert {each.provider for each in briefing.pages} == {"ours"}
    assert "AWS_SECRET" not in state["environment"]
    assert set(VARIABLES) <= set(state["environment"])
    assert state["folder"] == str(Path.home()), "not the audited tree, where a package runner would find its own"
    assert not alive(state["pid"])


@pytest.mark.parametrize("mode", ["hang", "silent"])
def test_a_server_that_hangs_is_ended_with_all_it_started(tmp_path: Path, mode: str) -> None:
    briefing, state = asked(tmp_path / "log", mode, deadline=3.0)
    assert briefing.notes == ("ours did not answer within 3 s (offline), so it was not asked again",)
    assert {each.provider for each in briefing.pages} == {"handbook"}
    assert not alive(state["pid"])
    assert not alive(state.get("child", 0))


def test_a_server_that_ends_at_once_is_told(tmp_path: Path) -> None:
    briefing, _ = asked(tmp_path / "log", "exit")
    assert briefing.notes == ("ours ended the connection (offline), so it was not asked again",)


def test_noise_between_messages_is_passed_over(tmp_path: Path) -> None:
    briefing, _ = asked(tmp_path / "log", "noise")
    assert {each.provider for each in briefing.pages} == {"ours"}


def test_a_program_that_is_not_there_is_told() -> None:
    settings = ResearchSettings(providers=("x",), servers={"x": ServerSettings(command=("evenkeel-no-such-program",))})
    briefing = research(PROFILE, build_providers(settings, Caller(os.environ, "2026-02-04", asked=True)))
    assert briefing.notes == (
        "x cannot be started: its program is not there, or not to be run (unconfigured), so it was not asked again",
    )
