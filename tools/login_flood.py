"""What bad logins cost those who chat: streaming chats in short windows, with and without a flood, in random order.

    python tools/login_flood.py --chats 50 --logins 500 --pairs 12 --addresses 1

Three processes: the server as users start it, the chats (this one), and the flood, which yields the processor to both
(`nice`). `first text` = from the request to the first delta; `whole` = to the end of the stream; the model says one word
each 50 ms and leaves nothing else out. A chat counts for the window that it lies in. `cpu` = seconds of the server's
processor per second. Ratios are flood to quiet, pair by pair, with a bootstrap interval; figures of the server say how many
passwords were checked and refused.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import re
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvloop

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "src")]

from evenkeel.prove.compare import ratio  # noqa: E402
from tests.faults.serving import KEY, Instance, instance  # noqa: E402


@dataclass(frozen=True)
class Chat:
    """One chat; monotonic seconds."""

    began: float
    first_s: float
    whole_s: float


@dataclass
class Window:
    """What was seen while it lasted."""

    chats: list[Chat] = field(default_factory=list)
    cpu: float = 0.0
    answers: Counter[str] = field(default_factory=Counter)

    def quantile(self, name: str, part: float) -> float:
        values = sorted(getattr(chat, name) for chat in self.chats)
        return float(values[min(len(values) - 1, int(part * len(values)))])


@asynccontextmanager
async def flooding(url: str, options: argparse.Namespace) -> AsyncIterator[asyncio.subprocess.Process]:
    flooder = Path(__file__).with_name("flooder.py")
    command = [sys.executable, str(flooder), url, str(options.logins), str(options.addresses)]
    process = await asyncio.create_subprocess_exec(
        "nice", "-n", "10", *command, start_new_session=True,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        yield process
    finally:
        assert process.stdin is not None
        process.stdin.close()
        await process.wait()


# the chats


async def chatting(host: str, port: int, place: int, words: int, done: list[Chat]) -> None:
    """One after the other, each in a session of its own, so that none has a history."""
    number = 0
    while True:
        number += 1
        body = json.dumps(
            {"user_id": f"chat{place}", "session_id": f"s{place}-{number}", "question": f"say {words} words"}
        ).encode()
        reader, writer = await asyncio.open_connection(host, port)
        began, first_s, tail = time.monotonic(), 0.0, b""
        writer.write(
            b"POST /wunder HTTP/1.1\r\nhost: x\r\nx-api-key: %b\r\nconnection: close\r\ncontent-length: %d\r\n\r\n%b"
            % (KEY.encode(), len(body), body)
        )
        while part := await reader.read(65_536):
            if not first_s and b"event: llm_output_delta" in tail + part:
                first_s = time.monotonic() - began
            tail = (tail + part)[-4096:]
        writer.close()
        if b"event: final" not in tail:
            raise RuntimeError(tail.decode(errors="replace"))
        done.append(Chat(began, first_s, time.monotonic() - began))


# windows


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def yielded_to(pid: int, nice: int) -> None:
    """Linux weighs sessions before processes (autogroup): `nice` alone says nothing against other sessions' load."""
    place = Path(f"/proc/{pid}/autogroup")
    if place.exists():
        place.write_text(str(nice))
    for thread in Path(f"/proc/{pid}/task").iterdir():
        os.setpriority(os.PRIO_PROCESS, int(thread.name), nice)


async def window(
    server: Instance, done: list[Chat], flooded: asyncio.subprocess.Process | None, seconds: float
) -> Window:
    found = Window()
    if flooded is not None:
        assert flooded.stdin is not None
        flooded.stdin.write(b"on\n")
    await asyncio.sleep(0.5)  # the change itself is nobody's
    begun, cpu = time.monotonic(), cpu_s(server.process.pid)
    await asyncio.sleep(seconds)
    found.cpu = (cpu_s(server.process.pid) - cpu) / (time.monotonic() - begun)
    found.chats = [chat for chat in done if chat.began >= begun]
    if flooded is not None:
        assert flooded.stdin is not None
        assert flooded.stdout is not None
        flooded.stdin.write(b"off\n")
        found.answers = Counter(json.loads(await flooded.stdout.readline()))
        await asyncio.sleep(0.5)
    return found


async def figures(server: Instance) -> dict[str, float]:
    text = (await server.http.get("/metrics", headers={"x-api-key": KEY})).text
    found = re.findall(r"^evenkeel_passwords_(checks|refused)_total\{(.*)\} (\S+)$", text, re.MULTILINE)
    return {f"{name} {re.sub('path=.[a-z]+.,', '', labels)}": float(value) for name, labels, value in found}


async def measured(options: argparse.Namespace) -> dict[str, Any]:
    chance = random.Random(options.seed)
    settings = {
        "agent__models__offline__provider": "offline",
        "agent__models__offline__tokens_per_s": "20",
        "passwords__memory_kib": "19456",
        "passwords__time_cost": "2",
        "passwords__per_address": "20",
        "passwords__overall": "200",
    }
    pairs: list[tuple[Window, Window]] = []
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        async with instance(f"sqlite:///{place / 'flood.db'}", place, **settings) as server:
            host, port = server.url.removeprefix("http://").split(":")
            done: list[Chat] = []
            chats = [
                asyncio.create_task(chatting(host, int(port), number, options.words, done))
                for number in range(options.chats)
            ]
            async with flooding(server.url, options) as flooded:
                if options.nice:
                    for pid in (os.getpid(), server.process.pid):
                        yielded_to(pid, options.nice)
                await asyncio.sleep(3)
                before = await figures(server)
                for number in range(options.pairs):
                    order = chance.sample((True, False), 2)
                    found = {on: await window(server, done, flooded if on else None, options.seconds) for on in order}
                    pairs.append((found[True], found[False]))
                    told(number, *pairs[-1])
                after = await figures(server)
            for task in chats:
                task.cancel()
            results = await asyncio.gather(*chats, return_exceptions=True)
            failed = [result for result in results if not isinstance(result, asyncio.CancelledError)]
            if failed:
                raise SystemExit(f"chats failed: {failed[:3]}")
    return report(pairs, {name: after[name] - before.get(name, 0.0) for name in after}, options)


def told(number: int, on: Window, off: Window) -> None:
    shown = [
        f"{name[:-2]} P99 {on.quantile(name, 0.99):.3f}/{off.quantile(name, 0.99):.3f}"
        for name in ("first_s", "whole_s")
    ]
    print(number, *shown, f"cpu {on.cpu:.2f}/{off.cpu:.2f}", dict(on.answers), file=sys.stderr, flush=True)


def report(
    pairs: Sequence[tuple[Window, Window]], passwords: dict[str, float], options: argparse.Namespace
) -> dict[str, Any]:
    sent = sum((on.answers for on, _ in pairs), Counter[str]())
    found: dict[str, Any] = {
        "chats": options.chats,
        "logins_per_s": options.logins,
        "addresses": options.addresses,
        "pairs": len(pairs),
        "window_s": options.seconds,
        "chats_counted": sum(len(window.chats) for pair in pairs for window in pair),
        "answers_to_logins": dict(sent),
        "passwords": passwords,
    }
    for name in ("first_s", "whole_s"):
        for part in (0.5, 0.99):
            values = [(on.quantile(name, part), off.quantile(name, part)) for on, off in pairs]
            found[f"{name} P{part * 100:.0f}"] = summary(values)
    found["cpu"] = summary([(on.cpu, off.cpu) for on, off in pairs])
    logins = sum(count for status, count in sent.items() if status.isdigit())
    seconds = len(pairs) * options.seconds
    extra = sum(on.cpu - off.cpu for on, off in pairs) / len(pairs) * seconds
    found["cpu_us_per_login"] = round(extra / max(1, logins) * 1e6)
    return found


def summary(values: Sequence[tuple[float, float]]) -> dict[str, Any]:
    interval = ratio(values)
    flood_, quiet = (sorted(value)[len(value) // 2] for value in zip(*values, strict=True))
    shown: dict[str, Any] = {"flood": round(flood_, 4), "quiet": round(quiet, 4)}
    if interval is not None:
        shown |= {"ratio": round(interval.estimate, 4), "from": round(interval.low, 4), "to": round(interval.high, 4)}
    return shown


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--chats", type=int, default=50)
    parser.add_argument("--words", type=int, default=12)
    parser.add_argument("--logins", type=float, default=500)
    parser.add_argument("--addresses", type=int, default=1)
    parser.add_argument("--pairs", type=int, default=12)
    parser.add_argument("--seconds", type=float, default=6)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--nice", type=int, default=0, help="of server and chats, where others use the machine too")
    options = parser.parse_args()
    print(json.dumps(uvloop.run(measured(options)), indent=2))


if __name__ == "__main__":
    main()
