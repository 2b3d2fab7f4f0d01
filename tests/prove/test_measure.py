"""Histograms, words, followers, metrics, and whether the instrument notices that it is late itself."""

from __future__ import annotations

import asyncio
import json
import random

import pytest

from evenkeel.prove.measure.follow import Follow
from evenkeel.prove.measure.histograms import corrected, decoded, encoded, histogram, merged, quantile_s
from evenkeel.prove.measure.processes import census
from evenkeel.prove.measure.saturation import MAX_LAG_P99_S, LoopWatch, saturation, tolerated_s
from evenkeel.prove.measure.scrape import reading
from evenkeel.prove.measure.tokens import Track, age_s, word


def test_quantiles_of_a_known_distribution() -> None:
    chance = random.Random(1)
    found = histogram(chance.expovariate(10.0) for _ in range(20_000))
    assert quantile_s(found, 50) == pytest.approx(0.0693, rel=0.05)
    assert quantile_s(found, 99) == pytest.approx(0.4605, rel=0.08)


def test_a_stall_counts_for_all_that_would_have_waited() -> None:
    seconds = [0.001] * 990 + [1.0]  # one stall of a second in a loop that sends every 10 ms
    assert quantile_s(histogram(seconds), 99) == pytest.approx(0.001, rel=0.01)
    assert quantile_s(corrected(seconds, 0.01), 99) > 0.5


def test_raw_histograms_come_back_and_add_up() -> None:
    one, other = histogram([0.1, 0.2]), histogram([0.3])
    assert decoded(encoded(one)).get_total_count() == 2
    assert merged([encoded(one), encoded(other)]).get_total_count() == 3
    assert quantile_s(merged([]), 99) == 0.0


def test_words_tell_their_age_whatever_is_done_to_the_text() -> None:
    text = "".join(word(number, 100.0 + number) for number in range(5))
    track = Track()
    for start in range(0, len(text), 3):
        track.add(text[start : start + 3], 105.0)
    assert track.delays == pytest.approx([5.0, 4.0, 3.0, 2.0, 1.0])
    assert (track.missing(5), track.doubled, track.reordered, track.foreign) == (0, 0, 0, 0)


def test_a_stamp_that_wrapped_has_the_right_age() -> None:
    before_wrap = (1 << 32) / 1e6 - 0.001
    stamp = int(word(0, before_wrap).split(".")[1].strip(), 16)
    assert age_s(stamp, before_wrap + 0.002) == pytest.approx(0.002, abs=1e-5)


def test_lost_doubled_and_reordered_words_are_told_apart() -> None:
    words = [word(number, 0.0) for number in range(6)]
    track = Track()
    for each in (words[0], words[2], words[1], words[1], words[4], "nonsense "):
        track.add(each, 1.0)
    assert (track.got, track.missing(6), track.doubled, track.reordered, track.foreign) == (4, 2, 1, 1, 1)


def event(data: object) -> bytes:
    return json.dumps({"session_id": "s", "timestamp": "", "data": data}, separators=(",", ":")).encode()


def start(turn: str) -> bytes:
    return event({"stage": "start", "question": f"prove turn={turn}"})


def test_a_follower_joins_a_replay_to_what_it_has() -> None:
    follow = Follow()
    words = [word(number, sent_s) for number, sent_s in enumerate((1.0, 1.1, 1.4, 1.9))]
    follow.event("progress", 1, start("t1"), 1.0)
    follow.event("llm_output_delta", 2, event({"delta": words[0]}), 1.1)
    follow.event("llm_output_delta", 3, event({"delta": words[1]}), 1.2)
    follow.back(1.5)
    segments = [{"event_id": 2 + number, "delta": each} for number, each in enumerate(words)]
    follow.event("llm_output_delta", 5, event({"segments": segments, "event_id_start": 2, "event_id_end": 5}), 2.0)
    answer = follow.event("final", 6, event({"answer": ""}), 2.1)
    assert answer is not None
    assert (answer.turn, answer.track.missing(4), answer.track.doubled) == ("t1", 0, 0)
    assert answer.track.delays == pytest.approx([0.1, 0.1, 0.1])  # not of the word that was sent while nobody listened
    assert (follow.doubled, follow.reordered, follow.cursor) == (0, 0, 6)


def test_a_follower_notices_events_twice_and_out_of_order() -> None:
    follow = Follow()
    for number in (1, 2, 4, 3, 4):
        follow.event("context_usage", number, event({}), 1.0)
    assert (follow.doubled, follow.reordered) == (1, 1)


def test_the_false_final_of_a_queued_request_is_not_an_end() -> None:
    follow = Follow()
    follow.event("queued", None, b'{"queued":true}', 1.0)
    assert follow.event("final", None, b'{"queued":true,"queue_id":"task_1"}', 1.0) is None
    ended = follow.event("error", 9, event({"code": "CANCELLED"}), 2.0)
    assert ended is not None
    assert (ended.end, ended.code) == ("error", "CANCELLED")


TEXT = """
# TYPE evenkeel_events_reads_total counter
evenkeel_events_reads_total{path="optimised",purpose="poll"} 5
evenkeel_events_reads_total{path="optimised",purpose="relay"} 2
"""


def test_metrics_add_up_over_instances_and_survive_a_restart() -> None:
    before, after = reading([TEXT, TEXT]), reading([TEXT.replace(" 5", " 9"), TEXT.replace(" 5", " 1")])
    assert before.total("evenkeel_events_reads_total", purpose="poll") == 10
    assert before.by("evenkeel_events_reads_total", "purpose") == {"poll": 10, "relay": 4}
    assert after.since(before).total("evenkeel_events_reads_total", purpose="relay") == 0
    killed = reading([TEXT.replace(" 5", " 3")])
    assert killed.since(before).total("evenkeel_events_reads_total", purpose="poll") == 3


def test_a_census_counts_this_process() -> None:
    found = census([__import__("os").getpid()])
    assert found.rss > 1_000_000
    assert found.processes >= 1
    assert census([2**22 + 1]).processes == 0


def test_how_late_the_instrument_may_be_goes_by_what_it_measures() -> None:
    assert tolerated_s({"overhead_p95_ms": 40.0, "turns_per_s": 9_000.0}) == MAX_LAG_P99_S
    slow = {"overhead_p95_ms": 46_000.0, "first_token_p95_ms": 5_000.0}
    assert tolerated_s(slow) == pytest.approx(0.1)  # a fiftieth of the shortest
    assert tolerated_s({}) == MAX_LAG_P99_S


async def test_a_generator_that_is_late_voids_the_run() -> None:
    now = [0.0]
    watch = LoopWatch(clock=lambda: now[0], cpu=lambda: 0.1 * now[0])
    async with watch:
        for _ in range(20):
            now[0] += 0.3  # the clock runs ahead: each tick comes too late
            await asyncio.sleep(0.015)
    assert "late at P99" in saturation(watch, [], 0.0).void
    assert saturation(LoopWatch(lags=[0.001] * 100), [0.001], 0.2).void == ""


@pytest.mark.parametrize(
    ("lags", "model_lags", "model_share", "late", "word_of_it"),
    [
        ([0.05] * 10, [], 0.0, 0, "clients' loop"),
        ([], [0.05] * 10, 0.0, 0, "model was"),
        ([], [], 0.95, 0, "model took"),
        ([], [], 0.0, 2, "left more than"),
    ],
)
def test_each_bound_of_the_instrument_is_named(
    lags: list[float], model_lags: list[float], model_share: float, late: int, word_of_it: str
) -> None:
    watch = LoopWatch(lags=lags, clock=lambda: 10.0, cpu=lambda: 0.0)
    for number in range(10):
        watch.arrived(0.2 if number < late else 0.0)
    assert word_of_it in saturation(watch, model_lags, model_share).void
