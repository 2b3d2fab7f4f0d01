"""Where a streamed token's time goes on its way from the model to the client, stage by stage, through a real server.

    python tools/token_path.py [--database postgres] [--streams 1 50 200] [--seconds 20]

Each word of the simulated model carries the moment it was sent, on the clock that all processes of a machine share. The
server runs with five of its functions wrapped, each of which reads that stamp from what passes through it and notes the
word's age; the client reads the last one. All stages see all words, so the differences of the mean ages are the
mean times between the stages. A stage costs some 3 us more for being looked at: it is in the figures.
"""

from __future__ import annotations

import argparse
import asyncio
import functools
import re
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import msgspec

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "src")]

from evenkeel.hotpath.ports.bus import Event  # noqa: E402
from evenkeel.prove.load.database import databases  # noqa: E402
from evenkeel.prove.load.model import simulator  # noqa: E402
from evenkeel.prove.load.script import Pace  # noqa: E402
from evenkeel.prove.load.servers import Recipe, environment, fleet  # noqa: E402
from evenkeel.prove.load.sse import HttpClient, Turn, client_session, question  # noqa: E402
from evenkeel.prove.measure.histograms import histogram, quantile_s  # noqa: E402
from evenkeel.prove.measure.tokens import age_s  # noqa: E402
from evenkeel.prove.scenarios.scenario import ROOM  # noqa: E402

STAGES = (
    ("received", "the model's bytes are read (loop, aiohttp, its parser)"),
    ("parsed", "the line is decoded, the text filtered for tool calls"),
    ("shown", "the event is numbered, encoded, put into the ring, and its row into the buffer of the writer"),
    ("taken", "the reader is woken and takes it from the ring"),
    ("written", "the frame is made and given to the socket (one send)"),
    ("read", "the client has it"),
)
WORD = re.compile(rb"\b[0-9a-f]+\.([0-9a-f]+) ")
DELTA = "llm_output_delta"
WORD_S, TTFT_S = 0.1, 0.2
KEPT = 200_000


@dataclass
class Ages:
    """Ages of words at one stage, in seconds."""

    kept: list[float]

    def look(self, data: bytes | str) -> None:
        """All words in what passes."""
        raw = data.encode() if isinstance(data, str) else data
        if len(self.kept) < KEPT:
            now = time.monotonic()
            self.kept.extend([age_s(int(stamp, 16), now) for stamp in WORD.findall(raw)])


def watched(found: dict[str, Ages]) -> None:
    """Wrap what a word passes on its way. Only a live reader's path: nothing here is replayed."""
    from evenkeel.hotpath.events.memory import MemoryBus  # noqa: PLC0415
    from evenkeel.hotpath.events.reader import RingReader  # noqa: PLC0415
    from evenkeel.serve.agent.models.wire import Lines  # noqa: PLC0415
    from evenkeel.serve.agent.narration import Narrator  # noqa: PLC0415
    from evenkeel.serve.api import sse  # noqa: PLC0415
    from evenkeel.serve.api.front import body_sender  # noqa: PLC0415

    before(Lines, "fed", lambda _, data: found["received"].look(data))
    before(Narrator, "delta", lambda _, text, __: found["parsed"].look(text))
    before(MemoryBus, "publish", lambda _, event: found["shown"].look(delta_of(event)))
    taking = RingReader.__anext__

    async def taken(reader: RingReader) -> Any:
        delivery = await taking(reader)
        for event in getattr(delivery, "events", ()):
            found["taken"].look(delta_of(event))
        return delivery

    RingReader.__anext__ = cast("Any", taken)  # type: ignore[method-assign]

    def sender(scope: Any, send: Any) -> Any:
        sending = body_sender(scope, send)

        async def sent(message: Any) -> None:
            await sending(message)
            for frame in message.get("body", b"").split(b"\n\n"):
                found["written"].look(frame if DELTA.encode() in frame else b"")

        return sent

    vars(sse)["body_sender"] = sender


def delta_of(event: Event) -> bytes:
    """What it shows, if it shows text: other events repeat the whole answer."""
    return event.payload if event.kind == DELTA else b""


def before(owner: type, name: str, look: Callable[..., None]) -> None:
    """Look at what a method is given."""
    wrapped = getattr(owner, name)

    @functools.wraps(wrapped)
    def looking(*arguments: Any) -> Any:
        look(*arguments)
        return wrapped(*arguments)

    setattr(owner, name, looking)


def serve(path: Path, arguments: list[str]) -> int:
    """`evenkeel serve` with the wrapped functions; what they saw is written when it ends."""
    from evenkeel.cli import main  # noqa: PLC0415

    found = {name: Ages([]) for name, _ in STAGES[:-1]}
    watched(found)
    sys.argv = ["evenkeel", "serve", *arguments]
    try:
        return main()
    finally:
        path.write_bytes(msgspec.json.encode({name: ages.kept for name, ages in found.items()}))


async def measured(kind: str, streams: int, seconds: float) -> dict[str, list[float]]:
    """So many streams at once for so long; the ages at each stage."""
    with tempfile.TemporaryDirectory(prefix="evenkeel-path-") as name:
        folder = Path(name)
        seen = folder / "seen.json"
        recipe = Recipe("optimised", (sys.executable, __file__, "--serve", str(seen)), environment(ROOM))
        async with (
            databases(kind, folder) as stores,
            simulator(Pace(), 7) as model,
            stores.fresh() as database,
            fleet(recipe, database, model.model_url, folder) as servers,
            client_session() as session,
        ):
            client = HttpClient(session, servers.urls, servers.servers[0].api_key)
            delays = await load(client, streams, seconds)
        return {**msgspec.json.decode(await asyncio.to_thread(seen.read_bytes)), "read": delays}


async def load(client: HttpClient, streams: int, seconds: float) -> list[float]:
    """Streams that begin at different moments, each in a session of its own; the delays at the client."""
    words = int((seconds - TTFT_S) / WORD_S)

    async def one(number: int) -> list[float]:
        await asyncio.sleep(number * min(0.02, 5.0 / streams))
        turn = Turn(f"t{number}", f"path-{number}", time.monotonic())
        text = question(turn.turn, tokens=words, ttft=int(TTFT_S * 1e3), gap=int(WORD_S * 1e3))
        await client.turn(turn, f"user-{number}", text)
        if turn.outcome != "final":
            raise RuntimeError(f"Stream {number} ended with {turn.outcome!r}.")
        return [delay for answer in turn.follow.answers for delay in answer.track.delays]

    return [delay for found in await asyncio.gather(*map(one, range(streams))) for delay in found]


def table(streams: int, ages: dict[str, list[float]]) -> str:
    """Markdown."""
    lines = [
        f"\n{streams} streams, {len(ages['read']):,} words at the client, microseconds\n",
        "| after | | mean, since the stage before | mean age | P50 | P99 |",
        "|---|---|---:|---:|---:|---:|",
    ]
    earlier = 0.0
    for name, what in STAGES:
        mean = statistics.fmean(ages[name]) * 1e6
        spread = histogram(ages[name])
        middle, slow = (quantile_s(spread, percent) * 1e6 for percent in (50, 99))
        lines.append(f"| {name} | {what} | {mean - earlier:,.0f} | {mean:,.0f} | {middle:,.0f} | {slow:,.0f} |")
        earlier = mean
    return "\n".join(lines)


async def report(arguments: argparse.Namespace) -> None:
    """One table for each number of streams."""
    for streams in cast("Sequence[int]", arguments.streams):
        print(table(streams, await measured(arguments.database, streams, arguments.seconds)), flush=True)


def main() -> int:
    """Options, then the tables."""
    if sys.argv[1:2] == ["--serve"]:
        return serve(Path(sys.argv[2]), sys.argv[3:])
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--database", choices=("postgres", "sqlite"), default="postgres")
    parser.add_argument("--streams", type=int, nargs="+", default=[1, 50, 200])
    parser.add_argument("--seconds", type=float, default=20.0)
    asyncio.run(report(parser.parse_args()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
