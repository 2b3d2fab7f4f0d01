"""evenkeel audits evenkeel: the old paths are found, each by the rule that its switch names, and nothing else is left over.

python tools/self_audit.py      exit status 1 and a line for each complaint when

- the rule that a switch names in `found_by` finds nothing in that switch's rollback path (tools/rollback_paths.toml), or
- a definite or likely finding stands outside of every rollback path and is not suppressed there with a reason.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from evenkeel.hotpath.switches import SWITCHES

ROOT = Path(__file__).parents[1]
PATHS = Path(__file__).with_name("rollback_paths.toml")
JUDGED = frozenset({"definite", "likely"})


@dataclass(frozen=True, slots=True)
class Found:
    """A finding, as far as the check needs it."""

    rule: str
    file: str
    line: int
    function: str
    issue: str

    def stands_in(self, place: str) -> bool:
        """Whether it stands in a place: FILE, or FILE::NAME."""
        file, _, name = place.partition("::")
        return self.file == file and (not name or f".{name}." in f".{self.function}.")


@dataclass(frozen=True, slots=True)
class OldPath:
    """The rollback path of one switch: where it stands, which rule has to find it, and where."""

    switch: str
    found_by: str
    paths: tuple[str, ...]
    found_in: tuple[str, ...]


def old_paths(table: Mapping[str, Mapping[str, Sequence[str]]], found_by: Mapping[str, str]) -> tuple[OldPath, ...]:
    """The rollback paths of all switches, `found_by` their rules. Raises KeyError for a switch that the table leaves out."""
    return tuple(
        OldPath(name, rule, tuple(table[name]["paths"]), tuple(table[name].get("found_in", table[name]["paths"])))
        for name, rule in found_by.items()
    )


def shipped_paths() -> tuple[OldPath, ...]:
    """The rollback paths of evenkeel."""
    return old_paths(tomllib.loads(PATHS.read_text("utf-8")), {each.name: each.found_by for each in SWITCHES})


def findings(root: Path) -> list[Found]:
    """What the audit of a tree finds for certain or likely; what is suppressed or an advisory is not among it.

    Raises RuntimeError when the audit fails, or a rule crashed or a worker failed."""
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "audit.json"
        options = ["--format=json", f"--output={output}", "--tracker=none", "--no-research", "--quiet"]
        done = subprocess.run(
            [sys.executable, "-m", "evenkeel", "audit", str(root), *options],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode not in {0, 1}:
            raise RuntimeError(done.stderr)
        result = json.loads(output.read_text("utf-8"))
    failed = [str(gap) for gap in result["gaps"] if gap["kind"] in {"crashed-rule", "worker"}]
    if failed:
        raise RuntimeError("\n".join(failed))
    return [
        Found(each["rule"], each["file"], each["line"], each["function"], each["issue"])
        for category in result["categories"]
        for each in category["findings"]
        if each["confidence"] in JUDGED and not each["advisory"]
    ]


def complaints(found: Sequence[Found], paths: Iterable[OldPath]) -> Iterator[str]:
    """A line for each rollback path that its rule misses, and for each finding that nothing explains."""
    known = tuple(paths)
    for path in known:
        for place in path.found_in:
            if not any(each.rule == path.found_by and each.stands_in(place) for each in found):
                yield f"{place}: {path.found_by} does not find the rollback path of the switch {path.switch!r}"
    deliberate = [place for path in known for place in path.paths]
    for each in found:
        if not any(each.stands_in(place) for place in deliberate):
            yield f"{each.file}:{each.line}: {each.rule}: {each.issue}"


def main() -> int:
    """Print what is wrong. 0: nothing."""
    found = findings(ROOT)
    said = list(complaints(found, shipped_paths()))
    for each in said:
        print(each)
    if said:
        print("Mend it, or say why it is right: `# evenkeel: ignore[slug] reason` behind or above the statement.")
        return 1
    print(f"self-audit: {len(SWITCHES)} rollback paths found, each by its rule ({len(found)} findings); nothing else")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
