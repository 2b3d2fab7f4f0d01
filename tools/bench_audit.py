"""Speed and memory of the audit, against Semgrep with 20 local rules on the same files in the same interleaved run.

    make bench-audit                                  open-webui against Semgrep, five rounds, and homeassistant once (1.6
                                                      million lines: its memory is what is asked for)
    make bench-audit ARGS="--rounds 3 PATH ..."       any trees
    make bench-audit ARGS="--without-large --without-semgrep --json FILE"

Each round runs, in random order: cold (empty cache), warm (nothing changed), and Semgrep. Seconds are wall clock of whole
processes, start-up included, with the CPU seconds (user and system) of all their processes beside them. Memory is measured in a
run of its own, for looking takes half a core from what runs on two: the sum over all processes of the run, sampled every
20 ms, shared pages counted once (PSS, from /proc; Linux only). Medians are
printed with minimum and maximum, and ratios round by round: these hold when the machine's speed drifts. Everything is
written as JSON too, with the floor and the aim of each figure. Semgrep and the wheels are fetched by package name into
the user's cache directory; compiled modules are used as an installed package has them.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import resource
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


# What is asked for: (floor, aim). Cold and warm in seconds per 100,000 lines, memory in MB.
ASKED = {
    "cold s/100k": (5.0, 2.5),
    "warm s/100k": (1.0, 0.5),
    "times as fast as semgrep": (5.0, 12.0),
    "MB": (500.0, 300.0),
}
LARGE_LINES = 1_500_000  # from here on memory is held against what is asked for, and times are not


@dataclass
class Figures:
    """What the rounds of one command gave: wall and CPU seconds, and MiB at the peak."""

    seconds: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    peak_mib: list[float] = field(default_factory=list)


def main() -> int:
    """Measure, print, write the JSON, and answer 0; the figures judge nothing."""
    arguments = parse()
    trees = [*arguments.paths] or [wheel_tree(each) for each in WHEELS]
    large = [] if arguments.paths or arguments.without_large else [wheel_tree(each) for each in LARGE_WHEELS]
    semgrep = None if arguments.without_semgrep else installed_semgrep()
    machine = f"{platform.platform()}, {os.cpu_count()} CPUs, Python {platform.python_version()}"
    print(f"{machine}, load {os.getloadavg()[0]:.1f}")
    measured = [measure(tree, semgrep, arguments.rounds) for tree in trees]
    measured += [measure(tree, None, 1) for tree in large]
    text = json.dumps({"machine": machine, "load": os.getloadavg()[0], "trees": measured}, indent=1)
    arguments.json.parent.mkdir(parents=True, exist_ok=True)
    arguments.json.write_text(f"{text}\n", encoding="utf-8")
    print(f"\nwritten to {arguments.json}")
    return 0


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("paths", nargs="*", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--without-large", action="store_true")
    parser.add_argument("--without-semgrep", action="store_true")
    parser.add_argument("--json", type=Path, default=CACHE / "bench-audit.json")
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


def measure(tree: Path, semgrep: Path | None, rounds: int) -> dict[str, object]:
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
        for name, command in commands.items():
            figures[name].peak_mib.append(timed(*command(), watch=group_mib)[2])
        for _ in range(rounds):
            for name in random.sample(list(commands), len(commands)):
                seconds, cpu, _ = timed(*commands[name]())
                figures[name].seconds.append(seconds)
                figures[name].cpu.append(cpu)
    return report(tree.name, figures, lines)


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


def timed(
    command: list[str], extra: dict[str, str], watch: Callable[[int], float] | None = None
) -> tuple[float, float, float]:
    """Wall seconds, CPU seconds and, of what `watch` gives, the peak of a whole process tree. Raises CalledProcessError when it
    fails."""
    started, used = time.monotonic(), children_cpu()
    process = subprocess.Popen(
        command,
        env={**{name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}, **extra},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    peak = 0.0
    while watch is not None and process.poll() is None:
        peak = max(peak, watch(process.pid))
        time.sleep(0.02)
    process.wait()
    seconds = time.monotonic() - started
    if process.returncode not in {0, 1}:
        raise subprocess.CalledProcessError(process.returncode, command)
    shutil.rmtree(extra.get("EVENKEEL_CACHE_DIR", ""), ignore_errors=True) if "warm" not in str(extra) else None
    return seconds, children_cpu() - used, peak


def children_cpu() -> float:
    """User and system seconds of all processes that were waited for."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


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


def report(name: str, figures: dict[str, Figures], lines: int) -> dict[str, object]:
    """Prints one tree's figures, and answers with what goes into the JSON."""
    for command, each in figures.items():
        low, middle, high = min(each.seconds), statistics.median(each.seconds), max(each.seconds)
        print(
            f"  {command:8} {middle:6.2f} s ({low:.2f} to {high:.2f}), {middle / lines * 100_000:5.2f} s per 100,000 lines, "
            f"{statistics.median(each.cpu):6.2f} CPU s, {max(each.peak_mib):5.0f} MiB"
        )
    ratios = {"warm as fast as cold": _ratios(figures["cold"], figures["warm"])}
    if "semgrep" in figures:
        ratios["cold as fast as semgrep"] = _ratios(figures["semgrep"], figures["cold"])
    for what, found in ratios.items():
        print(f"  {what}: {statistics.median(found):.1f} times ({min(found):.1f} to {max(found):.1f})")
    held = _held_against(figures, ratios, lines)
    for what, value in held.items():
        floor, aim = ASKED[what]
        print(f"  {what}: {value:.2f}; floor {floor:g}, aim {aim:g}: {_verdict(what, value)}")
    runs = {command: vars(each) for command, each in figures.items()}
    asked = {what: {"value": value, "floor": ASKED[what][0], "aim": ASKED[what][1]} for what, value in held.items()}
    return {"tree": name, "lines": lines, "runs": runs, "ratios": ratios, "asked": asked}


def _ratios(slow: Figures, fast: Figures) -> list[float]:
    return [left / right for left, right in zip(slow.seconds, fast.seconds, strict=True)]


def _held_against(figures: dict[str, Figures], ratios: dict[str, list[float]], lines: int) -> dict[str, float]:
    if lines >= LARGE_LINES:
        return {"MB": max(figures["cold"].peak_mib) * 1.048576}
    hundred_thousands = lines / 100_000
    held = {
        "cold s/100k": statistics.median(figures["cold"].seconds) / hundred_thousands,
        "warm s/100k": statistics.median(figures["warm"].seconds) / hundred_thousands,
    }
    if "cold as fast as semgrep" in ratios:
        held["times as fast as semgrep"] = statistics.median(ratios["cold as fast as semgrep"])
    return held


def _verdict(what: str, value: float) -> str:
    floor, aim = ASKED[what]
    sign = 1 if aim > floor else -1
    if value * sign >= aim * sign:
        return "aim reached"
    return "floor reached" if value * sign >= floor * sign else "below the floor"


if __name__ == "__main__":
    raise SystemExit(main())
