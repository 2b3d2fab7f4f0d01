"""Several processes on one host, behind one port: started, watched, started again, stopped together.

Each child listens on the shared port (SO_REUSEPORT: the kernel spreads connections) and on a loopback port of its own,
where its siblings ask for its metrics: `/metrics` of any of them answers for all, told apart by the label `process`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import secrets
import signal
import socket
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from evenkeel.kernel.errors import ConfigurationError
from evenkeel.serve.exposition import merged

LOG = logging.getLogger(__name__)
VARIABLE = "EVENKEEL_FAMILY"
STEADY_S = 30.0  # a process that lived this long starts again without a pause
ASK_S = 2.0


@dataclass(frozen=True, slots=True)
class FamilyRules:
    """`count` processes; pauses between two starts of one grow from `restart_s` to `restart_max_s`. Told to stop, they
    get `stop_s`.
    """

    host: str
    port: int
    count: int
    restart_s: float
    restart_max_s: float
    stop_s: float


@dataclass(frozen=True, slots=True)
class Kin:
    """What a child knows: its place, its own socket, the ports of all, the secret of the one-time link."""

    index: int
    own: socket.socket
    ports: Sequence[int]
    secret: str
    ready_fd: int

    def say_ready(self) -> None:
        """Tell the first process that this one works."""
        with contextlib.suppress(OSError):
            os.write(self.ready_fd, b"1")
            os.close(self.ready_fd)

    async def gather(self, own: bytes) -> bytes:
        """The metrics of all; a sibling that does not answer is left out (`process` shows which are there)."""
        others = [index for index in range(len(self.ports)) if index != self.index]
        answers = await asyncio.gather(*(_metrics_of(self.ports[index]) for index in others))  # at most `count`
        texts = {self.index: own, **{index: text for index, text in zip(others, answers, strict=True) if text}}
        return await asyncio.to_thread(merged, {str(index): texts[index] for index in sorted(texts)})


def read_kin(environ: Mapping[str, str]) -> Kin:
    """What the first process handed over."""
    try:
        given = json.loads(environ[VARIABLE])
        own = socket.socket(fileno=given["fd"])
    except (KeyError, ValueError, OSError):
        raise ConfigurationError("--child is for the server's own use.", hint="Use --instances N.") from None
    own.setblocking(False)
    return Kin(given["index"], own, given["ports"], given["secret"], given["ready_fd"])


def supervise(rules: FamilyRules, argv: Sequence[str]) -> int:
    """Run the family until told to stop. Answers 0 after an orderly stop, else the status of the child that could not
    even start.
    """
    return asyncio.run(_Family(rules, argv).run())


@dataclass
class _Family:
    rules: FamilyRules
    argv: Sequence[str]
    ready: int = 0  # how many ever worked
    failed: int = 0
    stopping: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> int:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self.stopping.set)
        with contextlib.ExitStack() as held:
            port = self._port(held)
            own = [held.enter_context(_loopback()) for _ in range(self.rules.count)]
            secret = secrets.token_urlsafe(24)
            ports = [each.getsockname()[1] for each in own]
            async with asyncio.TaskGroup() as group:
                for index, each in enumerate(own):  # `count` of them
                    given = {"index": index, "fd": each.fileno(), "ports": ports, "secret": secret}
                    group.create_task(self._keep(given, port))
        return self.failed

    def _port(self, held: contextlib.ExitStack) -> int:
        """Keep the port for the family: bound and not listening, so that a taken one is noticed once, here."""
        if not hasattr(socket, "SO_REUSEPORT"):
            raise ConfigurationError("This platform cannot share a port.", hint="Start one instance.")
        return held.enter_context(reserved(self.rules.host, self.rules.port)).getsockname()[1]  # type: ignore[no-any-return]

    async def _keep(self, given: Mapping[str, object], port: int) -> None:
        pause_s = 0.0
        while not self.stopping.is_set():
            started = time.monotonic()
            status = await self._child(given, port)
            if self.stopping.is_set():
                return
            if not self.ready:
                self.failed = abs(status) or 1
                self.stopping.set()
                return
            lived_s = time.monotonic() - started
            pause_s = 0.0 if lived_s >= STEADY_S else min(self.rules.restart_max_s, 2 * pause_s or self.rules.restart_s)
            LOG.warning(
                "Process %s ended with status %s after %.0f s; starting it again in %.1f s.",
                given["index"], status, lived_s, pause_s,
            )  # fmt: skip
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause_s):
                    await self.stopping.wait()

    async def _child(self, given: Mapping[str, object], port: int) -> int:
        reading, writing = os.pipe()
        handed = {**given, "ready_fd": writing}
        command = [sys.executable, "-m", "evenkeel", *self.argv, "--child", str(given["index"]), "--port", str(port)]
        environment = {**os.environ, VARIABLE: json.dumps(handed)}
        fd = int(str(given["fd"]))
        try:
            process = await asyncio.create_subprocess_exec(
                *command, env=environment, pass_fds=(writing, fd), start_new_session=True
            )
        finally:
            os.close(writing)
        waiting = asyncio.get_running_loop().create_task(self._noting(reading))
        stopping = asyncio.get_running_loop().create_task(self._stop(process))
        try:
            return await process.wait()
        finally:
            for task in (waiting, stopping):
                task.cancel()
            await asyncio.wait([waiting, stopping])

    async def _noting(self, reading: int) -> None:
        """Count a child that says it works."""
        loop = asyncio.get_running_loop()
        heard: asyncio.Future[None] = loop.create_future()

        def readable() -> None:
            if not heard.done():
                heard.set_result(None)

        loop.add_reader(reading, readable)
        try:
            await heard
            # evenkeel: ignore[blocking-io-in-async] the loop has just said that there is something to read
            self.ready += bool(os.read(reading, 1))
        finally:
            loop.remove_reader(reading)
            os.close(reading)

    async def _stop(self, process: asyncio.subprocess.Process) -> None:
        await self.stopping.wait()
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
            await asyncio.sleep(self.rules.stop_s)
            process.kill()


def reserved(host: str, port: int, *, shared: bool = True) -> socket.socket:
    """A bound socket. Raises ConfigurationError when the port is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sock.bind((host, port))
    except OSError as error:
        sock.close()
        raise ConfigurationError(
            f"Cannot listen on {host}:{port}: {error.strerror}.", hint="Choose another --port, or stop who has it."
        ) from None
    return sock


def _loopback() -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    sock.bind(("127.0.0.1", 0))
    sock.listen(128)  # now, so that a sibling's question waits instead of failing while this child starts again
    return sock


async def _metrics_of(port: int) -> bytes:
    try:
        async with asyncio.timeout(ASK_S):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                writer.write(b"GET /metrics?process=own HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
                head, _, body = (await reader.read(-1)).partition(b"\r\n\r\n")
            finally:
                writer.close()
    except (OSError, TimeoutError):
        return b""
    return body if b" 200 " in head.partition(b"\r\n")[0] else b""
