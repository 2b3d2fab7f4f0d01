"""S2: thousands of WebSocket connections, hundreds of active streams, reconnect storms.

Each active session has one connection that starts its turns and others that watch it; the rest watch sessions in which nothing
happens. Twice, a fifth of all connections is cut at once and comes back with its cursor. Every word that the model sent must
reach every connection that follows its session, once and in order.
"""

from __future__ import annotations

import asyncio

from evenkeel.prove.load.sockets import connect_all
from evenkeel.prove.load.sse import HttpClient, client_session
from evenkeel.prove.measure.histograms import encoded, histogram, quantiles_ms
from evenkeel.prove.measure.values import Better, Check, Figure, Observation
from evenkeel.prove.scenarios.crowd import Crowd, gather
from evenkeel.prove.scenarios.scenario import ROOM, Post, Scenario, Stage, watched


async def run(stage: Stage) -> Observation:
    """One run of one arm."""
    async with stage.servers() as servers, client_session() as session:
        client = HttpClient(session, servers.urls, stage.api_key, stage.clock)
        crowd = await gather(stage, servers, client)
        before = await servers.census()
        stage.tell("connecting", 0.05)
        try:
            await connect_all(crowd.sockets)
            for each in crowd.watching:
                each.watch()
            await asyncio.sleep(1.0)
            memory = (await servers.census()).rss - before.rss
            async with watched(stage, servers) as post:
                await crowd.play(post)
        finally:
            for each in crowd.sockets:
                each.close()
        await servers.stop()
        work = await post.work()
    return _observation(stage, crowd, post, memory, work.event_scans if work else None)


def _observation(stage: Stage, crowd: Crowd, post: Post, memory: int, scans: int | None) -> Observation:
    served = stage.simulator.served
    lost, unseen, late = 0, 0, []
    for each in crowd.live:
        by_turn = {answer.turn: answer for answer in each.follow.answers}
        for turn in crowd.turns.get(each.session, ()):
            sent = max((call.words for call in served.get(turn, []) if call.outcome == "done"), default=0)
            answer = by_turn.get(turn)
            if answer is None:
                unseen += 1
                lost += sent
                continue
            lost += max(0, answer.track.missing(sent))
            late.extend(answer.track.delays)
    delays = histogram(late)
    reads = post.metrics.by("evenkeel_events_reads_total", "purpose")
    connections = len(crowd.sockets)
    delivered = sum(each.delivered for each in crowd.sockets)
    values = {
        **quantiles_ms("delivery", delays),
        "events_per_s": delivered / post.seconds,
        "connections": float(connections),
    }
    if reads or "evenkeel_events_published_total" in post.metrics.names:
        values["polling_reads_per_s"] = sum(reads.get(name, 0.0) for name in POLLING) / post.seconds
        values |= {f"reads_{name}_per_s": count / post.seconds for name, count in reads.items()}
        values["backfill_reads_per_s"] = reads.get("backfill", 0.0) / post.seconds
    if scans is not None:
        values["scans_per_event"] = scans / max(1, delivered)
    if post.fleet.ours:
        values["memory_mib"] = memory / 2**20
        values["kib_per_connection"] = memory / 1024 / connections
        values["cpu_share"] = (post.census.cpu_s - post.census_before.cpu_s) / post.seconds
    if crowd.reconnected:
        values |= quantiles_ms("reconnect", histogram(crowd.reconnected))
    return post.observation(values, _counts(crowd, lost, unseen), {"delivery": encoded(delays)}, _notes(crowd))


def _counts(crowd: Crowd, lost: int, unseen: int) -> dict[str, int]:
    answers = [answer for each in crowd.live for answer in each.follow.answers]
    return {
        "lost_words": lost,
        "unseen_ends": unseen,
        "doubled_events": sum(each.follow.doubled for each in crowd.sockets)
        + sum(answer.track.doubled for answer in answers),
        "reordered_events": sum(each.follow.reordered for each in crowd.sockets)
        + sum(answer.track.reordered for answer in answers),
        "failed_turns": sum(answer.end != "final" for answer in answers),
        "cut_by_server": sum(each.cuts for each in crowd.sockets) + crowd.refused,
        "told_slow": sum(each.follow.told_slow for each in crowd.sockets),
    }


def _notes(crowd: Crowd) -> list[str]:
    codes: dict[str, int] = {}
    for each in crowd.sockets:
        for code in (*each.errors, *(answer.code for answer in each.follow.answers if answer.code)):
            codes[code] = codes.get(code, 0) + 1
    turns = sum(len(each) for each in crowd.turns.values())
    return [f"{turns} turns", *(f"{count} errors {code}" for code, count in sorted(codes.items()))]


POLLING = ("poll", "relay", "activity")
FIGURES = (
    Figure("polling_reads_per_s", "Reads of stored events to find news", "1/s", floor=0.4, aim=0.001),
    Figure("scans_per_event", "Scans of the event tables (PostgreSQL's own count) per event delivered", "", floor=0.4),
    Figure("backfill_reads_per_s", "Reads for connections that came back", "1/s"),
    Figure("delivery_p50_ms", "Model to client, P50", "ms"),
    Figure("delivery_p95_ms", "Model to client, P95", "ms"),
    Figure("delivery_p99_ms", "Model to client, P99", "ms", limit=50.0),
    Figure("events_per_s", "Events delivered", "1/s", better=Better.HIGHER),
    Figure("memory_mib", "Server memory for all connections", "MiB", limit=80.0),
    Figure("kib_per_connection", "Memory per connection", "KiB"),
    Figure("cpu_share", "Server CPU", "cores"),
    Figure("reconnect_p99_ms", "Back after a storm, P99", "ms"),
)
CHECKS = (
    Check("lost_words", "words lost", both_arms=True),
    Check("unseen_ends", "ends of turns never seen", both_arms=True),
    Check("doubled_events", "events or words twice", both_arms=True),
    Check("reordered_events", "events or words out of order", both_arms=True),
    Check("failed_turns", "turns that did not end in an answer"),
    Check("cut_by_server", "connections that the server cut or refused"),
    Check("told_slow", "times a client was told that it is slow"),
)
SCENARIO = Scenario(
    key="S2",
    title="WebSocket connections with reconnect storms",
    load="3,000 connections, 500 active streams, each with two watchers, two storms that cut a fifth",
    figures=FIGURES,
    checks=CHECKS,
    sizes={
        "quick": {
            "connections": 60,
            "streams": 10,
            "tokens": 15,
            "words_per_s": 15,
            "ramp_s": 1,
            "seconds": 4,
            "drain_s": 8,
        },
        "standard": {
            "connections": 3000,
            "streams": 500,
            "tokens": 40,
            "words_per_s": 6.7,
            "ramp_s": 10,
            "seconds": 20,
            "drain_s": 15,
        },
        "full": {
            "connections": 3000,
            "streams": 500,
            "tokens": 40,
            "words_per_s": 6.7,
            "ramp_s": 15,
            "seconds": 60,
            "drain_s": 20,
        },
    },
    run=run,
    settings=ROOM,
    pairs={"quick": (1, 1), "standard": (2, 5), "full": (3, 8)},
)
