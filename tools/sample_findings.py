"""A random sample of findings to read by hand, stratified by rule and repository, the same for the same seed.

    evenkeel audit PATH --format json --output NAME.json        once a repository
    python tools/sample_findings.py --seed 1 --count 100 NAME.json ...

Every rule that fired gives `--floor` findings first, each time from the repository it has been taken from least; the rest
is drawn from all that is left, so that the frequent rules weigh what they weigh in a report. Only what is reported and
scored is drawn: advisories and what needs context are not. Prints one line a finding (rule, severity, confidence,
repository, place), or JSON lines with `--json`.
"""

from __future__ import annotations

import argparse
import json
import random
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, order=True)
class Drawn:
    """One finding of one repository; `repository` is the name of its JSON file."""

    rule: str
    repository: str
    file: str
    line: int
    severity: str
    confidence: str
    issue: str


def findings(path: Path) -> list[Drawn]:
    """What one run reported and scored."""
    result = json.loads(path.read_text(encoding="utf-8"))
    return [
        Drawn(each["rule"], path.stem, each["file"], each["line"], each["severity"], each["confidence"], each["issue"])
        for category in result["categories"]
        for each in category["findings"]
        if not each["advisory"] and each["confidence"] != "needs-context"
    ]


def sample(found: Iterable[Drawn], count: int, floor: int, seed: int) -> list[Drawn]:
    """`count` findings at most: `floor` a rule where there are so many, the others from all that is left."""
    chance = random.Random(seed)
    by_rule: dict[str, list[Drawn]] = defaultdict(list)
    for each in sorted(set(found)):
        by_rule[each.rule].append(each)
    for each_rule in by_rule.values():
        chance.shuffle(each_rule)
    chosen = [each for rule in sorted(by_rule) for each in spread(by_rule[rule], floor)]
    rest = sorted(each for of_rule in by_rule.values() for each in of_rule if each not in chosen)
    more = max(0, min(count - len(chosen), len(rest)))
    return sorted([*chosen[:count], *chance.sample(rest, more)])


def spread(shuffled: list[Drawn], wanted: int) -> list[Drawn]:
    """The first `wanted` of a shuffled list, each time from the repository that has given least so far."""
    left, taken, chosen = list(shuffled), Counter[str](), list[Drawn]()
    while left and len(chosen) < wanted:
        following = min(left, key=lambda each: taken[each.repository])
        left.remove(following)
        taken[following.repository] += 1
        chosen.append(following)
    return chosen


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("reports", nargs="+", type=Path, metavar="REPORT.json")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--floor", type=int, default=3, help="findings of each rule that fired (default 3)")
    parser.add_argument("--json", action="store_true", help="one JSON object a line, with the text of the finding")
    options = parser.parse_args()
    found = [each for report in options.reports for each in findings(report)]
    for each in sample(found, options.count, options.floor, options.seed):
        place = f"{each.repository} {each.file}:{each.line}"
        print(json.dumps(vars(each)) if options.json else f"{each.rule:28}{each.severity:9}{each.confidence:9}{place}")


if __name__ == "__main__":
    main()
