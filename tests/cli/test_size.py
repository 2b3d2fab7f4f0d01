"""Trees that are too large: what a file or a hundred thousand of them may cost in memory. Peaks are of the largest process."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.timeout(240)  # whole runs over large trees, on machines that do other work too

MEASURED = """
import resource, subprocess, sys
code = subprocess.run(sys.argv[1:]).returncode
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, code, file=sys.stderr)
"""
LINE = b"VALUES.append(compute(first, second, {'key': 'value'}))\n"


def _audited(root: Path, environment: dict[str, str]) -> tuple[dict[str, Any], float]:
    """The report, and the peak of the largest process in MB."""
    audit = [sys.executable, "-m", "evenkeel", "audit", str(root), "--format", "json", "--no-cache", "--quiet"]
    command = [sys.executable, "-c", MEASURED, *audit]
    result = subprocess.run(command, capture_output=True, env=environment, check=True)
    kibibytes, code = result.stderr.split()[-2:]
    assert code == b"0", result.stderr
    report: dict[str, Any] = json.loads(result.stdout)
    return report, int(kibibytes) * 1.024e-3


def test_a_generated_file_of_50_mb_is_a_gap_that_costs_no_memory(environment: dict[str, str], backend: Path) -> None:
    _, without = _audited(backend, environment)
    with (backend / "generated.py").open("wb") as file:
        for _ in range(50):
            file.write(LINE * (1_000_000 // len(LINE) + 1))
    report, peak = _audited(backend, environment)
    (gap,) = [each for each in report["gaps"] if each["what"] == "generated.py"]
    assert gap["kind"] == "skipped"
    assert "50." in gap["why"]
    assert peak < without + 10


def test_memory_grows_little_with_the_number_of_files(environment: dict[str, str], tmp_path: Path) -> None:
    _, few = _audited(_tree(tmp_path / "few", 1_000), environment)
    report, many = _audited(_tree(tmp_path / "many", 10_000), environment)
    assert report["gaps"] == []
    assert (many - few) * 1e6 / 9_000 < MOST_BYTES_A_FILE


MOST_BYTES_A_FILE = 5_000  # measured: 2,700; so a hundred thousand files stay under half a gigabyte


def _tree(root: Path, files: int) -> Path:
    for number in range(files):
        folder = root / f"package{number // 500}"
        if number % 500 == 0:
            folder.mkdir(parents=True)
            (folder / "__init__.py").touch()
        (folder / f"m{number}.py").write_text(f"async def f{number}(x):\n    return x + {number}\n")
    return root
