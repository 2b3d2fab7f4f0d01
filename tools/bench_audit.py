"""Speed and memory of the audit, against Semgrep with 20 local rules on the same files in the same interleaved run.

    make bench-audit                                  open-webui from its wheel, five rounds
    make bench-audit ARGS="--rounds 3 PATH ..."       any trees
    make bench-audit ARGS="--large"                   homeassistant too (1.6 million lines)
    make bench-audit ARGS="--without-semgrep"

Each round runs, in random order: cold (empty cache), warm (nothing changed), and Semgrep. Times are wall clock of whole
processes, start-up included; memory is the sum over all processes of the run, sampled every 20 ms, shared pages counted once
(PSS, from /proc; Linux only). Medians are printed with minimum and maximum, and ratios round by round: these hold when the
machine's speed drifts. Semgrep and the wheels are fetched by package name into the user's cache directory.
"""

from __future__ import annotations

import argparse
import os
import platform
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import platformdirs

SEMGREP = "semgrep==1.182.0"
WHEELS = ("open-webui==0.12.4",)
LARGE_WHEELS = ("homeassistant==2026.11.0",)
RULES = Path(__file__).with_name("bench_rules.yml")
CACHE = platformdirs.user_cache_path("evenkeel-bench", appauthor=False)
PYTHON = Path(sys.executable)


@dataclass
class Figures:
    """What the rounds of one command gave: seconds, and MiB at the peak."""

    seconds: list[float] = field(default_factory=list)
    peak_mib: list[float] = field(default_factory=list)


def main() -> int:
    """Measure, print, and answer 0; the figures judge nothing."""
    arguments = parse()
    trees = [*arguments.paths] or [wheel_tree(each) for each in (*WHEELS, *(LARGE_WHEELS if arguments.large else ()))]
    semgrep = None if arguments.without_semgrep else installed_semgrep()
    print(f"{platform.platform()}, {os.cpu_count()} CPUs, Python {platform.python_version()}")
    for tree in trees:
        measure(tree, semgrep, arguments.rounds)
    return 0


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("paths", nargs="*", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--large", action="store_true")
    parser.add_argument("--without-semgrep", action="store_true")
    return parser.parse_args()


def wheel_tree(requirement: str) -> Path:
    """The Python files of a wheel, unpacked once."""
    target = CACHE / "trees" / requirement.replace("==", "-")
    if not target.exists():
        with tempfile.TemporaryDirectory() as folder:
            download = [PYTHON, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", ":none:"]
            run([*map(str, download), "--ignore-requires-python", "-d", folder, requirement])
            wheel = next(Path(folder).glob("*.whl"))
            with zipfile.ZipFile(wheel) as archive:
                archive.extractall(target, [each for each in archive.namelist() if each.endswith(".py")])
    return target


def installed_semgrep() -> Path:
    """Semgrep in an environment of its own, made once."""
    folder = CACHE / "semgrep"
    if not (folder / "bin" / "semgrep").exists():
        run([str(PYTHON), "-m", "venv", str(folder)])
        run([str(folder / "bin" / "pip"), "install", "--quiet", SEMGREP])
    return folder / "bin" / "semgrep"


def run(command: list[str]) -> None:
    subprocess.run(command, check=True)


def measure(tree: Path, semgrep: Path | None, rounds: int) -> None:
    """All commands on one tree, interleaved, in random order in each round."""
    lines = sum(path.read_bytes().count(b"\n") for path in tree.rglob("*.py"))
    print(f"\n{tree.name}: {lines:,} lines")
    with tempfile.TemporaryDirectory() as folder:
        warm = Path(folder) / "warm"
        commands: dict[str, Callable[[], tuple[list[str], dict[str, str]]]] = {
            "cold": lambda: (audit_command(tree), {"EVENKEEL_CACHE_DIR": tempfile.mkdtemp(dir=folder)}),
            "warm": lambda: (audit_command(tree), {"EVENKEEL_CACHE_DIR": str(warm)}),
        }
        if semgrep is not None:
            commands["semgrep"] = lambda: (
                semgrep_command(semgrep, tree),
                {"PATH": f"{semgrep.parent}:{os.environ['PATH']}"},
            )
        figures = {name: Figures() for name in commands}
        timed(*commands["warm"]())  # fills the warm cache
        for _ in range(rounds):
            for name in random.sample(list(commands), len(commands)):
                seconds, peak = timed(*commands[name]())
                figures[name].seconds.append(seconds)
                figures[name].peak_mib.append(peak)
    report(figures, lines)


def audit_command(tree: Path) -> list[str]:
    return [str(PYTHON.with_name("evenkeel")), "audit", str(tree), "--format", "json", "--quiet"]


def semgrep_command(semgrep: Path, tree: Path) -> list[str]:
    options = [
        "--config",
        str(RULES),
        "--metrics",
        "off",
        "--disable-version-check",
        "--no-git-ignore",
        "-j",
        "2",
        "--json",
    ]
    return [str(semgrep), "scan", *options, str(tree)]


def timed(command: list[str], extra: dict[str, str]) -> tuple[float, float]:
    """Wall seconds and peak MiB of a whole process tree. Raises CalledProcessError when it fails."""
    started = time.monotonic()
    process = subprocess.Popen(
        command,
        env={**os.environ, **extra},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    peak = 0.0
    while process.poll() is None:
        peak = max(peak, group_mib(process.pid))
        time.sleep(0.02)
    seconds = time.monotonic() - started
    if process.returncode not in {0, 1}:
        raise subprocess.CalledProcessError(process.returncode, command)
    shutil.rmtree(extra.get("EVENKEEL_CACHE_DIR", ""), ignore_errors=True) if "warm" not in str(extra) else None
    return seconds, peak


def group_mib(leader: int) -> float:
    """Proportional set size of every process in the session, in MiB; 0 where /proc does not tell."""
    total = 0
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and session_of(entry) == leader:
            total += pss_kib(entry)
    return total / 1024


def session_of(entry: Path) -> int:
    try:
        return int((entry / "stat").read_text().rpartition(")")[2].split()[3])
    except (OSError, ValueError, IndexError):
        return -1


def pss_kib(entry: Path) -> int:
    try:
        line = next(each for each in (entry / "smaps_rollup").read_text().splitlines() if each.startswith("Pss:"))
        return int(line.split()[1])
    except (OSError, StopIteration, ValueError):
        return 0


def report(figures: dict[str, Figures], lines: int) -> None:
    for name, each in figures.items():
        low, middle, high = min(each.seconds), statistics.median(each.seconds), max(each.seconds)
        print(
            f"  {name:8} {middle:6.2f} s ({low:.2f} to {high:.2f}), {middle / lines * 100_000:5.2f} s per 100,000 lines, "
            f"{max(each.peak_mib):5.0f} MiB"
        )
    if "semgrep" in figures:
        ratios = [
            theirs / ours for theirs, ours in zip(figures["semgrep"].seconds, figures["cold"].seconds, strict=True)
        ]
        print(
            f"  cold is {statistics.median(ratios):.1f} times ({min(ratios):.1f} to {max(ratios):.1f}) as fast as semgrep"
        )
    ratios = [cold / warm for cold, warm in zip(figures["cold"].seconds, figures["warm"].seconds, strict=True)]
    print(f"  warm is {statistics.median(ratios):.1f} times ({min(ratios):.1f} to {max(ratios):.1f}) as fast as cold")


if __name__ == "__main__":
    raise SystemExit(main())
