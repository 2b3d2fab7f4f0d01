"""What every test gets: no blocking calls on the loop, and a real PostgreSQL for those that ask for one."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests import blocking
from tests.postgres import Cluster, Databases, running_cluster

if TYPE_CHECKING:
    from collections.abc import Iterator


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "blocking_allowed(why): the code under test blocks the event loop on purpose")
    blocking.install()


LONG = (
    "tests/faults/test_agent_killed.py",
    "tests/faults/test_serve_instances.py",
    "tests/prove/test_bad_servers.py",
    "tests/prove/test_our_server.py",
    "tests/serve/test_fuzz.py",
)
SMOKE = "tests/prove/test_our_server.py::test_what_must_not_happen_does_not[S1-sqlite]"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whole servers that are killed, loaded and watched for half a minute each: `make test-all` runs them, `make test` a
    smoke of them, so that it ends within a quarter of an hour on two cores.
    """
    if os.environ.get("EVENKEEL_TEST_ALL"):
        return
    long = pytest.mark.skip(reason="LONG: run by `make test-all`")
    for item in items:
        if item.nodeid.startswith(LONG) and item.nodeid != SMOKE:
            item.add_marker(long)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """`make test` tries what failed beside others once more alone: on a busy machine some deadlines pass."""
    kept = os.environ.get("EVENKEEL_TEST_FAILED")
    if kept and report.failed and "PYTEST_XDIST_WORKER" not in os.environ:
        with Path(kept).open("a", encoding="utf-8") as file:
            file.write(f"{report.nodeid}\n")


@pytest.fixture(autouse=True)
def nothing_blocks_the_loop(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fails a test in which evenkeel's code blocks an event loop, even where an `except` swallowed the error."""
    if request.node.get_closest_marker("blocking_allowed"):
        yield
        return
    with blocking.watched() as seen:
        yield
    if seen:
        pytest.fail("blocking calls on the event loop:\n" + "\n".join(seen))


@pytest.fixture
def postgres_cluster() -> Iterator[Cluster]:
    """A cluster of this test's own, to stop, crash and start again."""
    with running_cluster() as cluster:
        yield cluster


@pytest.fixture(scope="session")
def postgres_databases() -> Iterator[Databases]:
    """Makes databases on `$EVENKEEL_TEST_DSN` (a role that may create databases), else on a throw-away cluster."""
    prefix = f"evenkeel_test_{os.getpid()}"
    given = os.environ.get("EVENKEEL_TEST_DSN")
    if given:
        databases = Databases(given, prefix)
        yield databases
        databases.drop_templates()
        return
    with running_cluster() as cluster:
        yield Databases(cluster.dsn, prefix)


@pytest.fixture
def postgres_dsn(postgres_databases: Databases) -> Iterator[str]:
    """The DSN of an empty database of this test's own."""
    dsn = postgres_databases.create()
    yield dsn
    postgres_databases.drop(dsn)
