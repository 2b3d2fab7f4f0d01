"""A fingerprint names the same fault after the file was edited elsewhere, reformatted or moved."""

from __future__ import annotations

import re
from collections.abc import Callable

import msgspec

from evenkeel.audit.fingerprints import fingerprint, with_fingerprints
from evenkeel.audit.model.finding import Finding
from evenkeel.audit.model.names import local_name


def test_stable_under_line_shift_and_file_move(finding: Callable[..., Finding]) -> None:
    before = finding(
        file="src/app/jobs.py",
        function="app.jobs.Worker.run",
        issue="`app.jobs.load` is called at app/jobs.py:40 for each row",
    )
    after = finding(
        file="src/app/work/queue.py",
        function="app.work.queue.Worker.run",
        line=93,
        end_line=97,
        issue="`app.work.queue.load` is called at app/work/queue.py:93  for each row",
    )
    assert fingerprint(before) == fingerprint(after)
    assert re.fullmatch(r"[0-9a-f]{16}", fingerprint(before))


def test_rule_function_and_issue_each_matter(finding: Callable[..., Finding]) -> None:
    plain = finding()
    others = [finding(rule="wide-transaction"), finding(function="app.jobs.other"), finding(issue="`open` blocks")]
    assert len({fingerprint(each) for each in [plain, *others]}) == 4


def test_equal_ones_get_an_ordinal_by_place_not_by_order(finding: Callable[..., Finding]) -> None:
    first, second, third = finding(line=10), finding(line=20), finding(line=30)
    named = {each.line: each.fingerprint for each in with_fingerprints([third, first, second])}
    assert named[20] == f"{named[10]}-2"
    assert named[30] == f"{named[10]}-3"


def test_given_fingerprints_stay_and_are_not_given_twice(finding: Callable[..., Finding]) -> None:
    kept = msgspec.structs.replace(finding(line=99), fingerprint=fingerprint(finding()))
    named = with_fingerprints([finding(line=1), kept])
    assert named[1] == kept
    assert named[0].fingerprint == f"{kept.fingerprint}-2"


def test_local_name_drops_the_module() -> None:
    assert local_name("app.jobs.Worker.run", "src/app/jobs.py") == "Worker.run"
    assert local_name("app.jobs.run", "src/app/jobs/__init__.py") == "run"
    assert local_name("app.jobs.<module>", "app/jobs.py") == "<module>"
    assert local_name("elsewhere.run", "app/jobs.py") == "elsewhere.run"
