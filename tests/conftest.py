"""What every test gets: no blocking calls on the loop, and a real PostgreSQL for those that ask for one."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests import blocking
from tests.postgres import Cluster, Databases, running_cluster

if TYPE_CHECKING:
    from collections.abc import Iterator


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "blocking_allowed(why): the code under test blocks the event loop on purpose")
    blocking.install()


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
