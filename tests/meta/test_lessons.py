"""What went wrong in a backend that tried this before: each fault has a test that names it by its letter."""

from __future__ import annotations

import ast
import re
from collections import defaultdict

import pytest

from tests.meta.test_tree import PYTHON, inside, text

LESSONS = {
    "a": "a full write queue wrote beside the queue: rows overtook one another, a terminal row landed first",
    "b": "deleting events at the start of a turn made resume cursors jump",
    "c": "event ids started again; with a background writer the largest stored id lags behind",
    "d": "deltas were dropped for a slow reader",
    "e": "a broken connection dropped the lease of a run that still worked",
    "f": "`queued` was followed by a false `final`, and then by nothing",
    "g": "watch and resume ended while the task was still queued",
    "h": "capacity was counted, then taken: with a limit of 1, two passed",
    "i": "cancel marked the monitor alone: rows stayed, later messages queued behind a ghost",
    "j": "`running` rows survived a restart and kept sessions busy for ever",
    "k": "a counter in memory started again at 1",
    "l": "an idle watcher took a whole core",
    "m": "many thread pools without a cap",
    "n": "synchronous writes inside async code",
    "o": "a profile call loaded everything to add up numbers",
    "p": "a client that demanded gap-free ids stalled",
    "q": "a run that ended in `error` was marked success",
    "r": "a task left `running` by a crash was never picked up again",
    "s": "enqueueing did not wake the loop",
    "t": "`watch` did not check who owns the session",
}


def named_lessons() -> dict[str, list[str]]:
    """Tests by the letters that their docstrings name."""
    found: dict[str, list[str]] = defaultdict(list)
    for path in PYTHON:
        if not inside(path).startswith("tests/") or inside(path).startswith("tests/rules/samples"):
            continue
        for node in ast.walk(ast.parse(text(path))):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name.startswith("test_"):
                for letter in re.findall(r"\b[Ll]esson ([a-z])\b", ast.get_docstring(node) or ""):
                    found[letter].append(f"{inside(path)}::{node.name}")
    return found


NAMED = named_lessons()


@pytest.mark.parametrize("letter", LESSONS, ids=str)
def test_a_lesson_has_a_test(letter: str) -> None:
    assert NAMED[letter], f"no test says `Lesson {letter}`: {LESSONS[letter]}"


def test_no_test_names_a_lesson_that_does_not_exist() -> None:
    assert NAMED.keys() - LESSONS.keys() == set()
