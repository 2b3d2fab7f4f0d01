"""What the agent costs beside the model: many turns at once in one process, each with a watcher, on real parts.

    python tools/bench_agent.py --streams 300 --deltas 60 --every-ms 30 --database postgres [--profile rollback] [--cpu]

The model answers from memory, so all CPU that is spent is the agent's, the parts' and that of this tool, which reads every
event. `first text` = from the request to the watcher's first delta; `last word` = from the model's end to the watcher's
`final`. Both leave the model out. Two rounds of turns run; the second is told.
"""

from __future__ import annotations

import argparse
import asyncio
import cProfile
import pstats
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvloop

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "src")]

from evenkeel.serve.agent.models.calls import ModelCall, Piece, Reply  # noqa: E402
from evenkeel.serve.agent.settings import ModelSettings  # noqa: E402
from evenkeel.serve.ports.requests import RunRequest  # noqa: E402
from evenkeel.serve.ports.runs import Begun, Usage  # noqa: E402
from tests.postgres import Databases, running_cluster  # noqa: E402
from tests.serve.agent.agents import Agent, agent, settings_in  # noqa: E402
from tests.storages import Place  # noqa: E402


@dataclass
class Paced:
    """A model that says a word every `every_s`; `ended` = when its newest stream was over, by session."""

    deltas: int
    every_s: float
    settings: ModelSettings = field(default_factory=lambda: ModelSettings(provider="offline"))
    name: str = "paced"
    ended: dict[str, float] = field(default_factory=dict)
    began: dict[str, float] = field(default_factory=dict)

    def request(self, call: ModelCall) -> Mapping[str, Any]:
        return {"messages": call.messages}

    async def stream(self, call: ModelCall, reply: Reply) -> AsyncIterator[Piece]:
        session = str(call.messages[-1]["content"])
        loop = asyncio.get_running_loop()
        at = loop.time()
        for number in range(self.deltas):
            at += self.every_s
            await asyncio.sleep(max(0.0, at - loop.time()))
            if not number:
                self.began[session] = time.perf_counter()
            yield Piece("word ")
        self.ended[session] = time.perf_counter()
        reply.usage = Usage(10, self.deltas, 10 + self.deltas)


@dataclass
class Times:
    """Seconds."""

    begun: list[float] = field(default_factory=list)
    first: list[float] = field(default_factory=list)
    last: list[float] = field(default_factory=list)


async def one_turn(mine: Agent, model: Paced, session: str, times: Times) -> None:
    started = time.perf_counter()
    begun = await mine.runs.submit(RunRequest("ann", session, session_id=session, registered=False))
    assert isinstance(begun, Begun)
    times.begun.append(time.perf_counter() - started)
    first = False
    async for delivery in begun.subscription:
        for event in getattr(delivery, "events", ()):
            if event.kind == "llm_output_delta" and not first:
                first = True
                asked = model.began[session] - model.every_s
                times.first.append(time.perf_counter() - model.began[session] + times.begun[-1])
                assert asked > 0
            if event.terminal:
                times.last.append(time.perf_counter() - model.ended[session])
                await begun.subscription.aclose()
                return


async def measure(place: Place, options: argparse.Namespace) -> None:
    model = Paced(options.deltas, options.every_ms / 1000)
    with tempfile.TemporaryDirectory() as folder:
        changes = {"limiter": {"max_active": options.streams + 10}, "writes": {"batch_s": 0.02}}
        async with agent(place, Path(folder), model, settings=settings_in(Path(folder)), **changes) as mine:
            for number in range(2):
                times = Times()
                profile = cProfile.Profile() if options.cpu and number else None
                cpu, started = time.process_time(), time.perf_counter()
                if profile:
                    profile.enable()
                async with asyncio.TaskGroup() as group:
                    for stream in range(options.streams):
                        group.create_task(one_turn(mine, model, f"session-{stream}", times))
                        if options.ramp_ms:
                            await asyncio.sleep(options.ramp_ms / 1000)
                if profile:
                    profile.disable()
                    pstats.Stats(profile).sort_stats("tottime").print_stats(30)
                spent, took = time.process_time() - cpu, time.perf_counter() - started
            told(times, spent, took, options)


def told(times: Times, spent: float, took: float, options: argparse.Namespace) -> None:
    deltas = options.streams * options.deltas
    print(f"{options.streams} streams of {options.deltas} deltas: {spent:.2f} s of CPU in {took:.1f} s,")
    print(f"  {spent / deltas * 1e6:.0f} us a delta, {spent / options.streams * 1e3:.2f} ms a turn, all told")
    for name, values in (("begun", times.begun), ("first text", times.first), ("last word", times.last)):
        values.sort()
        p50, p95, p99 = (values[min(len(values) - 1, int(len(values) * q))] * 1e3 for q in (0.5, 0.95, 0.99))
        print(f"  {name}: p50 {p50:.1f} ms, p95 {p95:.1f} ms, p99 {p99:.1f} ms")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--streams", type=int, default=300)
    parser.add_argument("--deltas", type=int, default=60)
    parser.add_argument("--every-ms", type=float, default=30)
    parser.add_argument("--ramp-ms", type=float, default=5, help="between two requests")
    parser.add_argument("--database", choices=("sqlite", "postgres"), default="postgres")
    parser.add_argument("--profile", choices=("optimised", "rollback"), default="optimised")
    parser.add_argument("--cpu", action="store_true", help="where the CPU goes")
    options = parser.parse_args()
    if options.database == "sqlite":
        with tempfile.TemporaryDirectory() as folder:
            uvloop.run(measure(Place(f"sqlite:///{folder}/bench.db", options.profile), options))
        return
    with running_cluster() as cluster:
        dsn = Databases(cluster.dsn, "bench").create()
        uvloop.run(measure(Place(dsn, options.profile), options))


if __name__ == "__main__":
    main()
