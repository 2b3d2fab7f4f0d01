"""The connections of S2: who starts turns, who watches, who is idle; their turns and their storms."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass, field

from evenkeel.kernel.errors import UnavailableError
from evenkeel.prove.load.people import open_sessions, register
from evenkeel.prove.load.servers import Fleet
from evenkeel.prove.load.sockets import Socket
from evenkeel.prove.load.sse import HttpClient, question
from evenkeel.prove.measure.follow import Answer
from evenkeel.prove.scenarios.scenario import Post, Stage

USERS = 20
STORM_PART = 0.2
WATCHERS = 2  # beside the connection that starts the turns
PAUSE_S = 0.1  # between the end of a turn and the next: a session is still busy for a moment


@dataclass
class Crowd:
    """All connections of a run: starters, their watchers, and the idle."""

    stage: Stage
    starters: list[Socket]
    watchers: list[Socket]
    idle: list[Socket]
    turns: dict[str, list[str]] = field(default_factory=dict)  # by session, in order
    stopping: bool = False
    playing: int = 0
    reconnected: list[float] = field(default_factory=list)
    refused: int = 0
    _later: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def sockets(self) -> list[Socket]:
        """Every one."""
        return [*self.starters, *self.watchers, *self.idle]

    @property
    def watching(self) -> list[Socket]:
        """Those that watch from the beginning."""
        return [*self.watchers, *self.idle]

    async def play(self, post: Post) -> None:
        """Turns without a pause in every active session, and two storms."""
        ramp, seconds = self.stage.size["ramp_s"], self.stage.size["seconds"]
        chance = random.Random(self.stage.place.seed)  # noqa: S311 - a load, not secrets
        for each in self.starters:
            each.ended = self._ended
            self._in(chance.random() * ramp, each)
        storms = [ramp + seconds / 3, ramp + 2 * seconds / 3]
        delivered = 0
        while post.now < ramp + seconds:
            await asyncio.sleep(0.25)
            total = sum(each.delivered for each in self.sockets)
            post.sample("events_per_s", (total - delivered) / 0.25)
            delivered = total
            self.stage.tell(f"{self.playing} turns under way", 0.1 + 0.8 * min(1.0, post.now / (ramp + seconds)))
            if storms and post.now >= storms[0]:
                storms.pop(0)
                await self._storm(post, chance)
        self.stopping = True
        await self._drain(self.stage.size["drain_s"])

    def _in(self, seconds: float, starter: Socket) -> None:
        async def later() -> None:
            await asyncio.sleep(seconds)
            await starter.ready.wait()  # it may have been cut meanwhile
            self._start(starter)

        task = asyncio.create_task(later())
        self._later.add(task)
        task.add_done_callback(self._later.discard)

    def _start(self, starter: Socket) -> None:
        if self.stopping:
            return
        turns = self.turns.setdefault(starter.session, [])
        turn = f"{self.stage.place.order}-{starter.session[-12:]}-{len(turns)}"
        turns.append(turn)
        self.playing += 1
        size = self.stage.size
        starter.start(
            question(turn, tokens=int(size["tokens"]), gap=round(1e3 / size["words_per_s"], 3), ttft=300), len(turns)
        )

    def _ended(self, starter: Socket, answer: Answer) -> None:
        turns = self.turns.get(starter.session, [])
        if turns and answer.turn in {turns[-1], ""}:
            self.playing -= 1
            starter.stop_resuming()
            self._in(PAUSE_S, starter)

    async def _storm(self, post: Post, chance: random.Random) -> None:
        cut = [each for each in self.sockets if chance.random() < STORM_PART and self._may_be_cut(each)]
        post.mark(f"{len(cut)} connections cut")
        for each in cut:
            each.drop()
        gate = asyncio.Semaphore(200)
        await asyncio.gather(*(self._return(each, gate) for each in cut))
        post.mark("all back")

    def _may_be_cut(self, each: Socket) -> bool:
        # A turn that was asked for and of which nothing has come yet has no cursor from which to resume it; the request
        # itself may be lost with the connection.
        asked = len(self.turns.get(each.session, ())) > len(each.follow.answers)
        return each.ended is None or not asked or each.follow.now is not None

    async def _return(self, each: Socket, gate: asyncio.Semaphore) -> None:
        began = self.stage.clock()
        async with gate:
            try:
                await each.connect()
            except UnavailableError:
                self.refused += 1
                return
        self.reconnected.append(self.stage.clock() - began)
        if each.ended is None:
            each.resume()
        elif each.follow.now is not None:
            each.resume_turn()
        # a starter between two turns has nothing to catch up with

    async def _drain(self, seconds: float) -> None:
        """Until every connection has seen the end of every turn, or so long."""
        end = self.stage.clock() + seconds
        while self.stage.clock() < end:
            if not self._later and all(
                len(each.follow.answers) >= len(self.turns.get(each.session, ())) for each in self.live
            ):
                return
            await asyncio.sleep(0.1)

    @property
    def live(self) -> Sequence[Socket]:
        """Those that follow an active session."""
        return [*self.starters, *self.watchers]


async def gather(stage: Stage, servers: Fleet, client: HttpClient) -> Crowd:
    """Users, sessions, and connections that are not open yet."""
    size = stage.size
    stage.tell("users and sessions", 0.02)
    prefix = f"prove{stage.place.seed % 100_000}x{stage.place.order}"
    tokens = [await register(client, f"{prefix}u{number}") for number in range(min(USERS, int(size["streams"])))]
    active = await open_sessions(client, tokens, int(size["streams"]))
    quiet = await open_sessions(client, tokens, max(1, int(size["streams"]) // 10))
    urls = servers.urls

    def socket(number: int, place: tuple[str, str]) -> Socket:
        return Socket(urls[number % len(urls)], place[0], place[1], clock=stage.clock)

    starters = [socket(number, place) for number, place in enumerate(active)]
    watchers = [socket(number, place) for number, place in enumerate(active * WATCHERS)]
    rest = max(0, int(size["connections"]) - len(starters) - len(watchers))
    idle = [socket(number, quiet[number % len(quiet)]) for number in range(rest)]
    return Crowd(stage, starters, watchers, idle)
