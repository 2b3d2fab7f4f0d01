from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator, Sequence

import pytest

from evenkeel.audit.source import pool
from evenkeel.audit.source.pool import Crash, in_processes

BATCHES = [[0, 1, 2], [3, 4], [5], [6, 7, 8, 9]]


Answers = dict[int, bytes | Crash]


def shout(word: str) -> bytes:
    if word == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    if word == "exit":
        os._exit(3)
    if word == "hang":
        time.sleep(60)
    return word.upper().encode() * (100_000 if word == "big" else 1)


def run(words: Sequence[str], batches: list[list[int]] = BATCHES, jobs: int = 2, stall_s: float = 30) -> Answers:
    found = dict(in_processes(shout, words, batches, jobs=jobs, stall_s=stall_s))
    assert multiprocessing.active_children() == []
    return found


@pytest.mark.parametrize("jobs", [0, 1, 2, 7])
def test_every_item_is_answered_once(jobs: int) -> None:
    words = list("abcdefghij")
    assert run(words, jobs=jobs) == {number: word.upper().encode() for number, word in enumerate(words)}


def test_steps_of_other_work_are_taken_meanwhile() -> None:
    taken: list[int] = []

    def steps() -> Iterator[None]:
        for each in range(1_000):
            taken.append(each)
            yield

    words = list("abcdefghij")
    answers = dict(in_processes(shout, words, BATCHES, jobs=2, meanwhile=steps()))
    assert len(answers) == len(words)
    assert taken == list(range(len(taken)))
    assert 0 < len(taken) < 1_000


def test_what_other_work_raises_is_raised_and_leaves_no_process() -> None:
    with pytest.raises(ZeroDivisionError):
        dict(in_processes(shout, list("abcdefghij"), BATCHES, jobs=2, meanwhile=(1 // each for each in (1, 0))))
    assert multiprocessing.active_children() == []


def test_nothing_to_do() -> None:
    assert run([], []) == {}


def test_answers_larger_than_a_pipe_holds() -> None:
    answers = run(["big"] * 40, [[each] for each in range(40)])
    assert {len(answer) for answer in answers.values() if isinstance(answer, bytes)} == {300_000}
    assert len(answers) == 40


@pytest.mark.parametrize("place", range(10))
@pytest.mark.parametrize("how", ["crash", "exit"])
def test_a_crash_costs_one_item(place: int, how: str) -> None:
    words = list("abcdefghij")
    words[place] = how
    answers = run(words)
    crashed = answers.pop(place)
    assert isinstance(crashed, Crash)
    assert "crashed" in crashed.why
    assert ("-11" if how == "crash" else "3") in crashed.why
    assert answers == {number: word.upper().encode() for number, word in enumerate(words) if number != place}


def test_many_crashes() -> None:
    answers = run(["crash"] * 6 + list("abcd"), jobs=2)
    assert [number for number, each in sorted(answers.items()) if isinstance(each, Crash)] == list(range(6))
    assert answers[9] == b"D"


def test_an_item_that_hangs_is_given_up() -> None:
    answers = run(["a", "b", "hang", "d"], [[0, 1, 2, 3]], stall_s=0.3)
    hung = answers.pop(2)
    assert isinstance(hung, Crash)
    assert "0.3 s" in hung.why
    assert answers == {0: b"A", 1: b"B", 3: b"D"}


def test_no_process_outlives_an_iteration_that_is_left() -> None:
    for _ in in_processes(shout, list("abcdefghij"), BATCHES, jobs=2):
        break
    deadline = time.monotonic() + 10
    while multiprocessing.active_children() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert multiprocessing.active_children() == []


def test_without_fork_processes_are_spawned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "can_fork", lambda: False)
    assert run(["alpha", "beta"], [[0], [1]], jobs=1) == {0: b"ALPHA", 1: b"BETA"}


CTRL_C = """
    import multiprocessing, os, signal, sys, time
    from evenkeel.audit.source.pool import in_processes

    def work(item):
        os.write(1, b"%d\\n" % os.getpid())  # at once: two processes share the pipe
        time.sleep(60)

    try:
        for _ in in_processes(work, ["a", "b"], [[0], [1]], jobs=2):
            pass
    except KeyboardInterrupt:
        print("interrupted", multiprocessing.active_children(), flush=True)
"""


def test_ctrl_c_ends_promptly_and_leaves_no_process() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(CTRL_C)], stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        assert process.stdout is not None
        children = [int(process.stdout.readline()) for _ in range(2)]
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to the whole group
        rest, _ = process.communicate(timeout=10)
    assert rest == "interrupted []\n"
    for each in children:
        with pytest.raises(ProcessLookupError):
            os.kill(each, 0)


def test_processes_end_when_their_parent_is_killed() -> None:
    program = textwrap.dedent(CTRL_C).replace("time.sleep(60)", "time.sleep(0.2); return b''")
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        children = [int(process.stdout.readline()) for _ in range(2)]
        process.kill()
    deadline = time.monotonic() + 10
    while any(is_running(each) for each in children) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not any(is_running(each) for each in children)


def is_running(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as file:  # noqa: PTH123
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
