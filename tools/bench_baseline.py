"""What a baseline of 1,000 findings costs a warm run: runs with and without it, interleaved, in CPU seconds.

python tools/bench_baseline.py [ROUNDS]
"""

from __future__ import annotations

import os
import random
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

FILES, EACH = 50, 20  # findings: FILES x EACH
FUNCTION = "async def pull_{number}(url: str) -> str:\n    return requests.get(url).text\n\n\n"


def main(rounds: int) -> None:
    """Print both medians and the median of the ratios of the rounds."""
    with tempfile.TemporaryDirectory() as folder:
        tree = _tree(Path(folder))
        environment = {**os.environ, "XDG_CACHE_HOME": str(Path(folder) / "cache")}
        _run(environment, "baseline", "create", str(tree), "--quiet")
        plain = ("audit", str(tree), "--format", "concise")
        ways = {"with": (*plain, "--baseline", str(tree / "evenkeel-baseline.json")), "without": plain}
        _run(environment, *plain)
        taken: dict[str, list[float]] = {"with": [], "without": []}
        for _ in range(rounds):
            for way in random.sample(sorted(ways), k=2):
                taken[way].append(_run(environment, *ways[way]))
    ratios = [one / other for one, other in zip(taken["with"], taken["without"], strict=True)]
    for way, times in taken.items():
        print(f"{way}: {statistics.median(times):.2f} s of CPU")
    print(
        f"ratio: {statistics.median(ratios):.2f} (lowest {min(ratios):.2f}, highest {max(ratios):.2f}), {rounds} rounds"
    )


def _tree(folder: Path) -> Path:
    tree = folder / "tree"
    (tree / "app").mkdir(parents=True)
    (tree / "pyproject.toml").write_text('[project]\nname = "tree"\ndependencies = ["requests"]\n')
    for number in range(FILES):
        functions = (FUNCTION.format(number=number * EACH + each) for each in range(EACH))
        (tree / "app" / f"pull_{number}.py").write_text(f"import requests\n\n\n{''.join(functions)}")
    return tree


def _run(environment: dict[str, str], *arguments: str) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        [sys.executable, "-m", "evenkeel", *arguments], env=environment, check=True, stdout=subprocess.DEVNULL
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 9)
