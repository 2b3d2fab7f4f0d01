"""The record of a session: machine, versions, switches, seeds, every run with its raw histograms, and what was judged."""

from __future__ import annotations

import os
import platform
import statistics
import tempfile
import time
from importlib import metadata
from pathlib import Path

import msgspec
import psutil

from evenkeel.kernel.errors import UsageError
from evenkeel.prove.measure.values import Observation
from evenkeel.prove.verdict import Finding, Growth, Ruling

FORMAT = 1
PACKAGES = (
    "evenkeel", "aiohttp", "apsw", "asyncpg", "fastapi", "hdrhistogram", "httptools", "httpx2", "msgspec", "picows",
    "starlette", "uvicorn", "uvloop", "websockets",
)  # fmt: skip


class Machine(msgspec.Struct, frozen=True):
    """Where it was measured."""

    processor: str
    cores: int
    memory_mib: int
    system: str
    python: str
    load: float  # the system's load average of a minute before the first run
    fsync_ms: float = 0.0  # median of syncing 8 KiB, where the databases of the runs are: what a commit waits for


class Judged(msgspec.Struct, frozen=True):
    """One scenario: its runs and what follows from them."""

    key: str
    title: str
    load: str
    size: dict[str, float]
    findings: list[Finding]
    rulings: list[Ruling]
    growths: list[Growth]
    runs: list[Observation]

    @property
    def void(self) -> int:
        """Runs that were not used."""
        return sum(bool(run.void) for run in self.runs)


class Evidence(msgspec.Struct, frozen=True):
    """A session of runs."""

    format: int
    started: str  # ISO 8601, UTC
    seconds: float
    command: list[str]
    machine: Machine
    versions: dict[str, str]
    database: str
    size: str
    seed: int
    arms: dict[str, str]  # name -> how it was started
    switches: dict[str, dict[str, object]]  # arm -> what its /health showed
    scenarios: list[Judged]
    interrupted: bool = False
    notes: list[str] = []

    def scenario(self, key: str) -> Judged | None:
        """By key."""
        return next((each for each in self.scenarios if each.key == key), None)


def machine(folder: Path) -> Machine:
    """This one; `folder` is where the runs keep their files."""
    return Machine(
        processor=_processor(),
        cores=os.cpu_count() or 1,
        memory_mib=psutil.virtual_memory().total // 2**20,
        system=f"{platform.system()} {platform.release()}",
        python=platform.python_version(),
        load=round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else 0.0,
        fsync_ms=round(_fsync_ms(folder), 3),
    )


def _fsync_ms(folder: Path) -> float:
    took = []
    with tempfile.TemporaryFile(dir=folder) as file:
        for _ in range(40):
            file.write(bytes(8192))
            file.flush()
            began = time.perf_counter()
            os.fsync(file.fileno())
            took.append((time.perf_counter() - began) * 1e3)
    return statistics.median(took)


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def versions() -> dict[str, str]:
    """Of the packages that matter; absent ones are left out."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def written(evidence: Evidence) -> bytes:
    """As JSON, two spaces deep."""
    return msgspec.json.format(msgspec.json.encode(evidence), indent=2) + b"\n"


def read(path: Path) -> Evidence:
    """What `written` gave. UsageError when it is not such a file."""
    try:
        found = msgspec.json.decode(path.read_bytes(), type=Evidence)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}.") from error
    except msgspec.DecodeError as error:
        raise UsageError(
            f"{path} is not evidence of `evenkeel prove`: {error}.", hint="Run it again with --json."
        ) from error
    if found.format != FORMAT:
        raise UsageError(f"{path} has format {found.format}; this version reads {FORMAT}.", hint="Run it again.")
    return found
