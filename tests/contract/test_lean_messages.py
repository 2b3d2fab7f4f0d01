"""Lean messages: the same answers on both paths, secrets masked, and no copies on the optimised one."""

from __future__ import annotations

import gc
import json
import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evenkeel.hotpath.lean import LeanMessages, build_lean
from evenkeel.hotpath.lean.texts import cut, head
from evenkeel.hotpath.ports.errors import UnencodableError
from evenkeel.hotpath.switches import read_switches
from evenkeel.kernel.errors import UsageError
from evenkeel.kernel.metrics import Meters
from tests.queues import sample

OPTIMISED = build_lean(read_switches("optimised"), Meters())
ROLLBACK = build_lean(read_switches("rollback"), Meters())
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner),
    max_leaves=10,
)


@pytest.fixture(params=[OPTIMISED, ROLLBACK], ids=["optimised", "rollback"])
def lean(request: pytest.FixtureRequest) -> LeanMessages:
    made: LeanMessages = request.param
    return made


def test_a_summary_counts_and_measures_and_never_holds_text(lean: LeanMessages) -> None:
    messages: list[dict[str, object]] = [
        {"role": "user", "content": "hällo"},
        {"role": "assistant", "content": [{"type": "text", "text": "abc"}]},
        {"role": "user", "content": None},
    ]
    summary = lean.summary(messages)
    assert summary.count == 3
    assert summary.roles == (("assistant", 1), ("user", 2))
    assert summary.last_role == "user"
    assert summary.size_bytes == len("useruserassistanttextabc") + 6
    assert "abc" not in repr(summary)
    assert lean.summary([]).last_role == ""


SECRETS = ["Bearer abcdefghijkl", "wund_0123456789abcdef", "sk-abcdefghijklmnop", "https://me:pw@host/"]


@pytest.mark.parametrize("secret", SECRETS)
def test_secrets_are_masked_wherever_they_stand(lean: LeanMessages, secret: str) -> None:
    message = {"role": "user", "content": f"look: {secret}", "tool": {"args": [secret], "n": 1}}
    shown = str({key: str(value) for key, value in lean.redacted(message).items()})
    assert "***" in shown
    assert not any(part in shown for part in ("abcdefghijkl", "0123456789abcdef", "me:pw"))
    assert message["content"] == f"look: {secret}"


def test_fields_with_telling_names_are_masked_whole_and_counts_of_tokens_are_not(lean: LeanMessages) -> None:
    message = {"api_key": "x", "Authorization": ["y"], "user_password": {"z": 1}, "max_tokens": 5, "total_tokens": 7}
    assert dict(lean.redacted(message)) == {
        "api_key": "***", "Authorization": "***", "user_password": "***", "max_tokens": 5, "total_tokens": 7,
    }  # fmt: skip


def test_long_values_are_cut_and_say_so(lean: LeanMessages) -> None:
    view = lean.redacted({"content": "ä" * 1000, "list": list(range(100)), "raw": b"\0" * 9, "short": "x"}, 11)
    assert view["content"] == "ä" * 5 + "... (1000 characters)"
    assert view["list"] == [*range(20), "... 80 more"]
    assert (view["raw"], view["short"]) == ("<9 bytes>", "x")


def test_a_secret_across_the_edge_is_not_shown_by_half(lean: LeanMessages) -> None:
    shown = str(lean.redacted({"content": "x " * 55 + "sk-" + "s" * 40})["content"])
    assert "sss" not in shown


@given(JSON)
def test_both_paths_write_json_that_reads_back(value: Any) -> None:
    for lean in (OPTIMISED, ROLLBACK):
        data = lean.encode(value)
        assert json.loads(data) == value
        assert b"\n" not in data


def test_results_are_bytes_of_their_own(lean: LeanMessages) -> None:
    first = lean.encode({"a": "x" * 100})
    lean.encode({"b": "y" * 2_000_000})
    lean.encode([])
    assert first == b'{"a":"' + b"x" * 100 + b'"}'


def test_what_is_no_json_is_refused_with_a_hint(lean: LeanMessages) -> None:
    with pytest.raises(UnencodableError):
        lean.encode({"text": "\ud800"})
    for wrong in (object(), {1j: 2}, {"x": {1, 2}.__iter__()}):
        with pytest.raises(UsageError) as raised:
            lean.encode(wrong)
        assert raised.value.hint


@given(st.text(), st.integers(0, 60))
def test_a_cut_keeps_to_its_bound_and_to_whole_characters(text: str, bound: int) -> None:
    made = cut(text, bound)
    size = len(text.encode("utf-8", "surrogatepass"))
    assert made.size_bytes == len(made.text.encode("utf-8", "surrogatepass")) <= max(bound, 0)
    if made.dropped_bytes == 0:
        assert made.text == text
    else:
        kept = made.text.split("\n[... ")[0] if "\n[... " in made.text else made.text
        assert text.startswith(kept)
        assert made.dropped_bytes == size - len(kept.encode("utf-8", "surrogatepass"))
    assert text.startswith(head(text, bound))


def test_a_cut_says_how_much_is_gone(lean: LeanMessages) -> None:
    made = lean.cut("a" * 1000, 100)
    assert made.text.endswith(f"\n[... {made.dropped_bytes} bytes cut]")
    assert made.dropped_bytes == 1000 - made.text.index("\n")
    assert lean.cut("short", 100).text == "short"


def allocated(work: Any) -> int:
    """The most memory that was taken during the work, in bytes."""
    gc.collect()
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_logging_allocates_no_more_for_a_longer_conversation() -> None:
    """The promise of the switch, and what the old path costs."""

    def conversation(count: int) -> list[dict[str, object]]:
        return [{"role": "user", "content": f"{n} " * 500, "meta": {"n": [n]}} for n in range(count)]

    def log(lean: LeanMessages, messages: list[dict[str, object]]) -> int:
        def work() -> None:
            str(lean.summary(messages))
            str(lean.redacted(messages[-1]))

        work()
        return allocated(work)

    short, long = conversation(10), conversation(2_000)
    assert log(OPTIMISED, long) < 2 * log(OPTIMISED, short) + 10_000
    assert log(ROLLBACK, long) > 20 * log(OPTIMISED, long)


def test_both_paths_tell_the_same_story() -> None:
    for profile in ("optimised", "rollback"):
        meters = Meters()
        lean = build_lean(read_switches(profile), meters)
        lean.encode({"a": 1})
        lean.cut("x" * 100, 50)
        lean.summary([])
        lean.redacted({})
        assert sample(meters, "evenkeel_lean_calls_total", path=profile) == 4
        assert sample(meters, "evenkeel_lean_encoded_bytes_total", path=profile) == 7
        assert sample(meters, "evenkeel_lean_dropped_bytes_total", path=profile) > 50
