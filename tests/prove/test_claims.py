"""A figure in a document has a run behind it, or is found out."""

from __future__ import annotations

from pathlib import Path

import pytest

from evenkeel.prove.evidence import record
from evenkeel.prove.evidence.claims import claims, says, unproved, value
from tests.prove.test_session import session

TEXT = """
P95 is [{claim}](e.json#S1/overhead_p95_ms/{what}) of before.

```sh
sleep 5  # 300 ms and 40 % in code are no claims
```
"""


@pytest.fixture
def document(tmp_path: Path) -> Path:
    (tmp_path / "e.json").write_bytes(record.written(session(0.3)))
    return tmp_path / "page.md"


@pytest.mark.parametrize(
    ("claim", "what", "problem"),
    [
        ("0.30", "ratio", ""),
        ("30 %", "ratio", ""),
        ("-70 %", "ratio", ""),
        ("3.0 ms", "ours", ""),
        ("0.25", "ratio", "measured was"),
        ("-80 %", "ratio", "measured was"),
        ("1", "nothing", "no nothing"),
    ],
)
def test_a_linked_figure_is_what_was_measured(document: Path, claim: str, what: str, problem: str) -> None:
    document.write_text(TEXT.format(claim=claim, what=what))
    found = unproved(document)
    assert (len(found) == 1 and problem in found[0]) if problem else found == []


@pytest.mark.parametrize(
    "claim", ["P95 falls to 4 ms", "it is 3.5 times as fast", "40,000 events/s", "-70 % overhead", "快 3 倍"]
)
def test_a_figure_without_a_run_is_found(document: Path, claim: str) -> None:
    document.write_text(f"First line.\n\nSo {claim}.\n")
    (found,) = unproved(document)
    assert "page.md:3" in found
    assert "no run is behind it" in found


def test_prose_with_numbers_is_no_claim() -> None:
    text = (
        "Python 3.11 or newer. 2 for CRITICAL, 0.5 MEDIUM, per 10,000 lines. [page](docs/guide/prove.md) 32 rules, S1."
    )
    assert list(claims(text)) == []


def test_the_numbers_behind_a_place() -> None:
    evidence = session(0.3)
    assert value(evidence, "S1/failed_turns/worst") == 0
    assert value(evidence, "S1/overhead_p95_ms/ratio.low") <= value(evidence, "S1/overhead_p95_ms/ratio")
    for place in ("S9/a/ratio", "S1/no_such/ratio", "S1/no_such/worst", "S1"):
        with pytest.raises(LookupError):
            value(evidence, place)


@pytest.mark.parametrize(
    ("text", "measured", "right"), [("0.3", 0.34, True), ("0.30", 0.34, False), ("1,250", 1250.4, True)]
)
def test_as_many_digits_count_as_are_written(text: str, measured: float, right: bool) -> None:
    assert says(text, measured) is right
