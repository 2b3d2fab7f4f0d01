"""Who is asked: what settings may say, what they may not, and that nothing is asked unless someone asks for it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from evenkeel.audit.model.profile import Profile, Technology
from evenkeel.audit.model.settings import ResearchSettings, ServerSettings
from evenkeel.audit.research import Caller, build_providers, research
from evenkeel.audit.research.questions import MOST, questions, read_topics
from evenkeel.kernel.errors import ConfigurationError
from tests.cli.conftest import Run

pytestmark = pytest.mark.timeout(90)  # whole runs in processes of their own
OURS = ServerSettings(command=("evenkeel-documentation",))


def names(settings: ResearchSettings, *, asked: bool = False, **environment: str) -> list[str]:
    return [each.name for each in build_providers(settings, Caller(environment, "2026-02-04", asked=asked))]


def test_nobody_is_asked_unless_someone_asks() -> None:
    assert names(ResearchSettings()) == ["handbook"]
    assert names(ResearchSettings(), asked=True) == ["context7", "ref", "handbook"]
    assert names(ResearchSettings(enabled=True, providers=("ref", "handbook"))) == ["ref", "handbook"]


def notes(settings: ResearchSettings, *, asked: bool) -> tuple[str, ...]:
    profile = Profile(root=".", technologies=(Technology("sqlalchemy", "orm"),))
    return research(profile, build_providers(settings, Caller({}, "2026-02-04", asked=asked))).notes


def test_a_program_of_the_audited_tree_runs_only_when_the_caller_asks() -> None:
    settings = ResearchSettings(enabled=True, providers=("ours", "handbook"), servers={"ours": OURS})
    (refused,) = notes(settings, asked=False)
    assert refused == (
        "ours is defined by the audited project, which --research on the command line allows (unconfigured), so it was "
        "not asked"
    )
    (tried,) = notes(settings, asked=True)
    assert tried.startswith("ours cannot be started")


def test_a_known_name_with_a_program_of_the_tree_is_the_trees() -> None:
    settings = ResearchSettings(enabled=True, providers=("context7",), servers={"context7": OURS})
    assert "--research" in notes(settings, asked=False)[0]


def test_ref_without_its_key_is_told_and_not_asked() -> None:
    (told,) = notes(ResearchSettings(providers=("ref", "handbook")), asked=True)
    assert told == "ref lacks its key: set REF_API_KEY (unconfigured), so it was not asked"


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (ResearchSettings(providers=("nobody",)), "'nobody' is not defined"),
        (ResearchSettings(servers={"x": ServerSettings()}), "one of command and url is needed"),
        (
            ResearchSettings(servers={"x": ServerSettings(command=("a",), url="https://a.example")}),
            "one of command and url",
        ),
        (ResearchSettings(servers={"x": ServerSettings(url="http://a.example/mcp")}), "is no address that can be used"),
        (
            ResearchSettings(servers={"x": ServerSettings(url="https://u:p@a.example")}),
            "is no address that can be used",
        ),
        (ResearchSettings(servers={"x": ServerSettings(url="file:///etc/passwd")}), "is no address that can be used"),
        (
            ResearchSettings(servers={"x": ServerSettings(url="https://a", key_env="AWS_SECRET_ACCESS_KEY")}),
            "is not handed",
        ),
        (ResearchSettings(servers={"x": ServerSettings(command=("a",), env=("LINEAR_API_KEY",))}), "is not handed"),
        (ResearchSettings(servers={"x": ServerSettings(command=("a",), env=("LD_PRELOAD",))}), "is not handed"),
    ],
)
def test_settings_that_cannot_be_used_are_refused_by_their_path(settings: ResearchSettings, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words) as caught:
        names(settings)
    assert "tool.evenkeel.research" in str(caught.value)
    assert caught.value.hint


def test_only_what_the_topics_file_says_can_be_asked() -> None:
    known = read_topics()
    assert all(entry.title for entry in known.technologies.values())
    private = Profile(root="/srv/secret", technologies=(Technology("secret-orm", "orm"), Technology("redis", "cache")))
    asked = questions(private)
    assert next(each for each in asked if each.technology == "secret-orm").title == ""
    assert {each.title for each in asked} == {"", "Redis"}


def test_a_profile_of_everything_asks_a_bounded_number() -> None:
    everything = tuple(Technology(name, "orm") for name in read_topics().technologies)
    asked = questions(Profile(root=".", technologies=everything))
    assert sum(bool(each.title) for each in asked) <= MOST
    assert {each.technology for each in asked} == {each.name for each in everything}, "the handbook may know the rest"


WITHOUT = """
import sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"mcp", "mcp_types", "keyring", "httpx2", "anyio", "pydantic"}:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Missing())
import importlib.util
real = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: None if name in {"mcp", "keyring"} else real(name, *rest)
from evenkeel.cli import main
sys.exit(main(sys.argv[1:]))
"""


def without_extras(environment: dict[str, str], *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", WITHOUT, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)


def test_the_base_install_audits_and_names_the_extra(backend: Path, environment: dict[str, str]) -> None:
    run = without_extras(environment, "audit", backend, "--research")
    assert run.returncode == 0, run.stderr
    assert "context7 needs the extra: pip install 'evenkeel[mcp]'" in " ".join(run.stdout.split())


@pytest.mark.parametrize(
    ("arguments", "extra"),
    [(["mcp"], "evenkeel[mcp]"), (["audit", ".", "--tracker", "linear"], "evenkeel[keyring]")],
)
def test_what_needs_an_extra_says_so(environment: dict[str, str], arguments: list[str], extra: str) -> None:
    environment.pop("LINEAR_API_KEY", None)
    run = without_extras(environment, *arguments)
    assert run.returncode == 2
    assert extra in run.stderr
    assert run.stderr.count("\n") == 1, "one line, no traceback"


def test_the_report_says_who_answered_and_what_was_not_asked(backend: Path, evenkeel: Run) -> None:
    run = evenkeel(
        "audit",
        backend,
        "--research",
        "--format",
        "markdown",
        env={"REF_API_KEY": "", "HTTPS_PROXY": "http://127.0.0.1:9"},
    )
    assert run.returncode == 0, run.stderr
    assert "from handbook (built-in, not refreshed)" in run.stdout
    assert "context7 could not be reached (offline), so it was not asked again" in run.stdout
    assert "ref lacks its key" in run.stdout
    off = evenkeel("audit", backend, "--format", "markdown")
    assert "context7" not in off.stdout
