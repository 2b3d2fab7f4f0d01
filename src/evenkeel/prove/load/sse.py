"""A client of `POST /wunder` over SSE: one turn at a time, as a browser reads it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import aiohttp
import msgspec

from evenkeel.prove.measure.follow import Follow


@dataclass(slots=True)
class Turn:
    """One turn from the client's side. `due`: when it should have been sent; all times on the monotonic clock."""

    turn: str
    session: str
    due: float
    sent: float = 0.0
    first: float = 0.0
    ended: float = 0.0
    outcome: str = ""  # final, queued, error CODE, HTTP status, or what broke
    bytes: int = 0
    follow: Follow = field(default_factory=Follow)

    @property
    def words(self) -> int:
        """Words that came."""
        return sum(each.track.got for each in self.follow.answers)


def question(turn: str, **words: object) -> str:
    """What is asked: the turn's name and what the simulated model shall do."""
    return " ".join([f"prove turn={turn}", *(f"{name}={value}" for name, value in words.items() if value != "")])


@dataclass
class HttpClient:
    """Sends turns to the servers, in rotation."""

    session: aiohttp.ClientSession
    urls: list[str]
    api_key: str
    clock: Callable[[], float] = time.monotonic
    timeout_s: float = 120.0
    _next: int = 0

    def url(self) -> str:
        """The next server."""
        self._next += 1
        return self.urls[self._next % len(self.urls)]

    async def turn(self, turn: Turn, user: str, text: str) -> Turn:
        """Ask and read to the end; whatever goes wrong is in `outcome`."""
        body = {"user_id": user, "session_id": turn.session, "question": text, "stream": True}
        turn.sent = self.clock()
        try:
            async with self.session.post(
                f"{self.url()}/wunder",
                data=msgspec.json.encode(body),
                headers={"X-API-Key": self.api_key, "content-type": "application/json"},
                timeout=aiohttp.ClientTimeout(total=self.timeout_s),
            ) as answer:
                if answer.status != 200:
                    turn.outcome = f"HTTP {answer.status}"
                    await answer.read()
                else:
                    await self._read(answer, turn)
        except TimeoutError:
            turn.outcome = "timeout"
        except aiohttp.ClientError as error:
            turn.outcome = f"broken: {type(error).__name__}"
        turn.ended = self.clock()
        return turn

    async def _read(self, answer: aiohttp.ClientResponse, turn: Turn) -> None:
        rest = b""
        async for data in answer.content.iter_any():
            now = self.clock()
            turn.bytes += len(data)
            *frames, rest = (rest + data).split(b"\n\n")
            for frame in frames:
                self._frame(frame, turn, now)
        if not turn.outcome:
            turn.outcome = "no end"

    def _frame(self, frame: bytes, turn: Turn, now: float) -> None:
        kind, data, number = "", b"", None
        for line in frame.split(b"\n"):
            if line.startswith(b"data:"):
                data = line[5:].strip()
            elif line.startswith(b"event:"):
                kind = line[6:].strip().decode()
            elif line.startswith(b"id:"):
                number = int(line[3:])
        if not kind:
            return
        if kind == "queued":
            turn.outcome = "queued"
        ended = turn.follow.event(kind, number, data, now)
        if kind == "llm_output_delta" and not turn.first:
            turn.first = now
        if ended is not None:
            turn.outcome = "final" if ended.end == "final" else f"error {ended.code}"

    async def post(self, path: str, body: dict[str, object], *, token: str = "", url: str = "") -> tuple[int, bytes]:
        """A plain call with a JSON body; status and body of the answer."""
        headers = {"Authorization": f"Bearer {token}"} if token else {"X-API-Key": self.api_key}
        async with self.session.post(
            f"{url or self.url()}{path}",
            data=msgspec.json.encode(body),
            headers={**headers, "content-type": "application/json"},
            timeout=aiohttp.ClientTimeout(total=self.timeout_s),
        ) as answer:
            return answer.status, await answer.read()

    async def get(self, path: str, *, token: str = "", url: str = "") -> tuple[int, bytes]:
        """A plain read."""
        headers = {"Authorization": f"Bearer {token}"} if token else {"X-API-Key": self.api_key}
        async with self.session.get(
            f"{url or self.url()}{path}", headers=headers, timeout=aiohttp.ClientTimeout(total=self.timeout_s)
        ) as answer:
            return answer.status, await answer.read()


def client_session() -> aiohttp.ClientSession:
    """As many connections as are asked for."""
    return aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0, limit_per_host=0), read_bufsize=2**16)
