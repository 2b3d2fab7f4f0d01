"""Findings name a call as a reader of the code finds it."""

from __future__ import annotations

import pytest

from tests.audit_model_runtime.modules import function_of

SOURCE = """
from pathlib import Path

def f(folder: Path, name: str, rows: list[str]) -> None:
    {}
"""


@pytest.mark.parametrize(
    ("statement", "last"),
    [
        ("rows.sort()", "rows.sort"),
        ("(folder / name).read_text()", "(folder / ...).read_text"),
        ("(folder / name / name).read_text()", "(folder / ...).read_text"),
        ("folder.joinpath(name).read_text()", "folder.joinpath(...).read_text"),
        ("', '.join(rows)", '"...".join'),
    ],
)
def test_calls_are_named_as_written(statement: str, last: str) -> None:
    assert function_of(SOURCE.format(statement)).calls[-1].written == last


def test_long_chains_keep_their_end() -> None:
    chain = "".join(f".joinpath_{number}(name)" for number in range(12))
    written = function_of(SOURCE.format(f"folder{chain}")).calls[-1].written
    assert written.startswith("...")
    assert written.endswith("(...).joinpath_11")
    assert len(written) <= 60
