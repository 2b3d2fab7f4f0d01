"""The real servers from npm, offline, against a service on this machine: they answer, are rate-limited, refused, and cut off.

Downloads packages, so it runs only where `EVENKEEL_TEST_NPM` is set: EVENKEEL_TEST_NPM=1 make test ARGS=tests/research
`EVENKEEL_TEST_NPM` may also name a folder that keeps the packages from run to run.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from evenkeel.audit.model.briefing import Briefing
from evenkeel.audit.model.profile import Profile, Technology
from evenkeel.audit.model.settings import ResearchSettings, ServerSettings
from evenkeel.audit.research import Caller, build_providers, research
from tests.cli.conftest import Run
from tests.research.servers import DOCUMENTS

WANTED = os.environ.get("EVENKEEL_TEST_NPM", "")
NPM, NODE = shutil.which("npm"), shutil.which("node")
pytestmark = [
    pytest.mark.skipif(not WANTED, reason="EVENKEEL_TEST_NPM is not set: the servers from npm were NOT tested"),
    pytest.mark.skipif(not (NPM and NODE), reason="node or npm is not there: the servers from npm were NOT tested"),
    pytest.mark.timeout(300),
]

CONTEXT7 = "@upstash/context7-mcp"
RELEASES = {
    "context7 4.1.1": (CONTEXT7, "4.1.1", "index.js", False),
    "context7 2.0.0": (CONTEXT7, "2.0.0", "index.js", True),
    "context7 1.0.33": (CONTEXT7, "1.0.33", "index.js", True),
    "context7 1.0.20": (CONTEXT7, "1.0.20", "index.js", True),
    "ref 3.0.3": ("ref-tools-mcp", "3.0.3", "index.cjs", False),
}
LIBRARY = {
    "id": "/sqlalchemy/sqlalchemy",
    "title": "SQLAlchemy",
    "description": "d",
    "totalSnippets": 9,
    "trustScore": 9,
}
HIT = {"overview": "Session basics", "url": "https://docs.sqlalchemy.org/x", "moduleId": "sqlalchemy", "content": "c"}
KEY = "ctx7sk-a-key-that-must-not-be-shown"
PROFILE = Profile(root=".", technologies=(Technology("sqlalchemy", "orm"), Technology("postgresql", "database")))


@contextmanager
def service(status: int) -> Iterator[tuple[str, list[str]]]:
    """What stands behind both servers, and the paths that it was asked for."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(status)
            self.send_header("content-type", "application/json" if "search" in self.path else "text/plain")
            self.end_headers()
            if status == 200:
                self.wfile.write(self.body().encode())

        def body(self) -> str:
            path = urlsplit(self.path).path
            if path.endswith("/search_documentation"):
                return json.dumps({"docs": [HIT]})
            return json.dumps({"results": [LIBRARY]}) if path.endswith("/search") else DOCUMENTS

        def log_message(self, *_: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture(scope="session")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    kept = Path(WANTED)
    return kept if kept.is_absolute() else tmp_path_factory.mktemp("npm")


def installed(packages: Path, release: str) -> tuple[str, ...]:
    """The command that starts this release, downloaded if need be; skips loudly where the registry is out of reach."""
    package, version, script, rerouted = RELEASES[release]
    folder = packages / release.replace(" ", "-")
    start = folder / "node_modules" / package / "dist" / script
    if not start.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        command = [str(NPM), "install", "--no-audit", "--no-fund", "--ignore-scripts", f"{package}@{version}"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"npm cannot install {package}@{version}: it was NOT tested ({done.stderr.strip()[-200:]})")
    before = ("--import", str(Path(__file__).with_name("reroute.mjs"))) if rerouted else ()
    return (str(NODE), *before, str(start))


def server_of(command: tuple[str, ...], release: str) -> tuple[str, ServerSettings]:
    names = ("CONTEXT7_API_URL", "CONTEXT7_API_KEY", "REF_URL", "REF_API_KEY")
    return release.split(maxsplit=1)[0], ServerSettings(command=command, env=names)


def variables(address: str, key: str = KEY) -> dict[str, str]:
    return {"CONTEXT7_API_URL": f"{address}/api", "CONTEXT7_API_KEY": key, "REF_URL": address, "REF_API_KEY": key}


def asked(packages: Path, release: str, address: str, key: str = KEY) -> Briefing:
    name, server = server_of(installed(packages, release), release)
    settings = ResearchSettings(providers=(name, "handbook"), servers={name: server}, deadline=120)
    environment = {**os.environ, **variables(address, key)}
    return research(PROFILE, build_providers(settings, Caller(environment, "2026-02-04", asked=True)))


@pytest.mark.parametrize("release", RELEASES)
def test_it_answers(packages: Path, release: str) -> None:
    with service(200) as (address, paths):
        briefing = asked(packages, release, address)
    assert briefing.notes == ()
    page = briefing.pages[0]
    assert (page.technology, page.provider, len(page.advice)) == ("sqlalchemy", release.split(maxsplit=1)[0], 4)
    assert all(each.url.startswith("https://docs.sqlalchemy.org/") for each in page.advice)
    words = {word for path in paths for values in parse_qs(urlsplit(path).query).values() for word in values}
    assert any("session lifecycle" in each for each in words)
    assert len(paths) == len(set(paths)), "nothing is asked twice"


@pytest.mark.parametrize(
    ("status", "words"),
    [(429, "is rate-limited"), (401, "refused the key, or lacks one"), (500, "could not reach its own service")],
)
@pytest.mark.parametrize("release", RELEASES)
def test_it_fails_as_if_it_had_not(packages: Path, release: str, status: int, words: str) -> None:
    with service(status) as (address, paths):
        briefing = asked(packages, release, address)
    assert len(paths) == 1, "not asked again"
    assert briefing.notes[0].startswith(f"{release.split(maxsplit=1)[0]} {words}")
    assert {each.provider for each in briefing.pages} == {"handbook"}
    assert KEY not in repr(briefing)


@pytest.mark.parametrize("release", RELEASES)
def test_its_service_is_out_of_reach(packages: Path, release: str) -> None:
    briefing = asked(packages, release, "http://127.0.0.1:9")
    assert briefing.notes[0].startswith(f"{release.split(maxsplit=1)[0]} could not reach its own service (offline)")
    assert {each.provider for each in briefing.pages} == {"handbook"}


def test_ref_without_a_key(packages: Path) -> None:
    with service(200) as (address, paths):
        briefing = asked(packages, "ref 3.0.3", address, key="")
    assert paths == []
    assert briefing.notes[0].startswith("ref refused the key, or lacks one (unconfigured)")


def test_the_report_of_a_whole_run(packages: Path, backend: Path, evenkeel: Run) -> None:
    """One server is rate-limited, the next answers, the handbook fills the rest; the report says all of it."""
    first = server_of(installed(packages, "context7 4.1.1"), "context7")[1].command
    second = server_of(installed(packages, "ref 3.0.3"), "ref")[1].command
    (backend / "requirements.txt").write_text("sqlalchemy==2.0.40\n")
    (backend / "evenkeel.toml").write_text(
        f"[research]\ndeadline = 120\n[research.servers.context7]\ncommand = {json.dumps(first)}\n"
        'env = ["CONTEXT7_API_URL"]\n'
        f'[research.servers.ref]\ncommand = {json.dumps(second)}\nenv = ["REF_URL", "REF_API_KEY"]\n'
    )
    with service(429) as (limited, _), service(200) as (working, _):
        given = {**variables(working), "CONTEXT7_API_URL": f"{limited}/api"}
        run = evenkeel("audit", backend, "--research", "--format", "markdown", env=given)
    assert run.returncode == 0, run.stderr
    assert "context7 is rate-limited, so it was not asked again" in run.stdout
    assert "Session basics](<https://docs.sqlalchemy.org/x>) (ref, retrieved 20" in run.stdout
    assert "(handbook: built-in, not refreshed)" in run.stdout
