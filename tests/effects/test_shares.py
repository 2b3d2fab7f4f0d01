"""Which process links which files: each file once, neighbours together, the forked process a little less."""

from __future__ import annotations

import pytest

from evenkeel.audit.effects.reads import tells
from evenkeel.audit.effects.runners import is_plain_data
from evenkeel.audit.effects.shares import NEIGHBOURS, shares
from evenkeel.audit.model.tables import Blobs


def facts(*sizes: int) -> Blobs:
    return Blobs(b"x" * each for each in sizes)


def test_each_file_is_linked_once_and_neighbours_together() -> None:
    sizes = [50 + (7 * number) % 40 for number in range(NEIGHBOURS * 9 + 5)]
    parts = shares(facts(*sizes), 2)
    assert sorted(file for part in parts for file in part) == list(range(len(sizes)))
    of = {file: number for number, part in enumerate(parts) for file in part}
    groups = [range(each, min(each + NEIGHBOURS, len(sizes))) for each in range(0, len(sizes), NEIGHBOURS)]
    assert all(len({of[file] for file in group}) == 1 for group in groups)


def test_the_forked_process_gets_no_more_than_this_one() -> None:
    parts = shares(facts(*[100] * (NEIGHBOURS * 40)), 2)
    assert len(parts[0]) >= len(parts[1]) > 0.8 * len(parts[0])


@pytest.mark.parametrize("text", ["str", "int | None", "Optional[dict[str, Any]]", "'bytes'", "dict"])
def test_built_in_values_are_not_run(text: str) -> None:
    assert is_plain_data(text)


@pytest.mark.parametrize("text", ["Callable[[], int]", "list[Callable]", "str | Callable", "Job", "Any", ""])
def test_whatever_else_may_be(text: str) -> None:
    assert not is_plain_data(text)


def test_a_chain_tells_when_one_of_its_attributes_does() -> None:
    names = frozenset({"lines"})
    assert tells("order.lines[].price", names)
    assert not tells("lines.price", names)
    assert tells("order.price", None)
