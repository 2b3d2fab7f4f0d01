"""An MCP server as a child process, whose end never takes longer than a moment.

The SDK's own transport waits up to six seconds for a child that does not end by itself, shielded from cancellation: longer
than some deadlines. A documentation server has nothing to lose, so here its whole process group is killed.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import threading
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

import anyio
import mcp_types
from mcp.shared.message import SessionMessage

if TYPE_CHECKING:
    from mcp.client._transport import TransportStreams

MAX_LINE = 8_000_000  # bytes of one message; a longer one ends the connection
AHEAD = 64  # lines that are read ahead
UNREAD_S = 60.0  # after which the reader gives up on a loop that takes no more lines
GRACE_S = 0.2  # for a child to end by itself once its stdin is closed
# Besides these a child gets only the variables that it is given by name.
INHERITED = (
    "APPDATA", "COMSPEC", "HOME", "HOMEDRIVE", "HOMEPATH", "HTTPS_PROXY", "HTTP_PROXY", "LANG", "LOCALAPPDATA", "LOGNAME",
    "NODE_EXTRA_CA_CERTS", "NO_PROXY", "PATH", "PATHEXT", "SHELL", "SSL_CERT_FILE", "SYSTEMDRIVE", "SYSTEMROOT", "TEMP",
    "TERM", "TMPDIR", "USER", "USERNAME", "USERPROFILE", "http_proxy", "https_proxy", "no_proxy",
)  # fmt: skip

Child = subprocess.Popen[bytes]


@dataclass(frozen=True, slots=True)
class Lines:
    """What a thread has read and the loop has not yet looked at: at most as many lines as there was `room` for."""

    queue: asyncio.Queue[bytes]
    room: threading.Semaphore
    loop: asyncio.AbstractEventLoop


@contextmanager
def running(command: Sequence[str], environment: Mapping[str, str]) -> Iterator[Child]:
    """The child, unbuffered, with pipes for stdin and stdout; killed at the end. Raises OSError when there is none.

    To be entered outside an event loop: starting a process blocks."""
    child = subprocess.Popen(
        list(command),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=dict(environment),
        cwd=Path.home(),  # never the audited tree: a package runner would start what lies there under that name
        start_new_session=True,  # so that what it starts is killed with it
        bufsize=0,
    )
    try:
        yield child
    finally:
        end(child)


def end(child: Child) -> None:
    """Close its stdin, wait a moment, kill it and everything it started. May be called again, from any thread."""
    with suppress(OSError, ValueError):
        if child.stdin:
            child.stdin.close()
    with suppress(subprocess.TimeoutExpired):
        child.wait(GRACE_S)
    if os.name == "posix":
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, signal.SIGKILL)  # also when the child is gone: its group may live on
    if child.poll() is None:
        child.kill()
    with suppress(subprocess.TimeoutExpired):
        child.wait(GRACE_S)
    if child.stdout and child.poll() is not None:
        with suppress(OSError, ValueError):
            child.stdout.close()


@asynccontextmanager
async def streams(child: Child) -> AsyncIterator[TransportStreams]:
    """The transport that an MCP client speaks through. The child is read by a thread and written to by another."""
    if child.stdin is None or child.stdout is None:
        raise ValueError("the child has no pipes")
    inward, received = anyio.create_memory_object_stream[SessionMessage | Exception](16)
    outgoing, outward = anyio.create_memory_object_stream[SessionMessage](16)
    loop = asyncio.get_running_loop()
    lines = Lines(asyncio.Queue(), threading.Semaphore(AHEAD), loop)
    threading.Thread(target=_pump, args=(child.stdout, lines), daemon=True, name="mcp-reader").start()
    async with anyio.create_task_group() as group:
        group.start_soon(_receive, lines, inward)
        group.start_soon(_send, outward, child.stdin)
        try:
            yield received, outgoing
        finally:
            group.cancel_scope.cancel()
            for stream in (inward, received, outgoing, outward):
                stream.close()


def _pump(stdout: IO[bytes], lines: Lines) -> None:
    """In a thread: every line into the queue, an empty one at the end. Ends with the child, or with the loop."""
    # A descriptor of its own: `end` may close the other while this one is read.
    # RuntimeError: the loop is closed. OSError, ValueError: the child was ended before it could be read.
    with suppress(RuntimeError, OSError, ValueError), os.fdopen(os.dup(stdout.fileno()), "rb") as reading:
        while lines.room.acquire(timeout=UNREAD_S):
            line = reading.readline(MAX_LINE)
            whole = line if line.endswith(b"\n") else b""
            lines.loop.call_soon_threadsafe(lines.queue.put_nowait, whole)
            if not whole:
                return


async def _receive(lines: Lines, inward: anyio.abc.ObjectSendStream[SessionMessage | Exception]) -> None:
    async with inward:
        while line := await lines.queue.get():
            lines.room.release()
            if not line.strip():
                continue
            try:
                message = mcp_types.jsonrpc_message_adapter.validate_json(line, by_name=False)
            except ValueError as error:
                await inward.send(error)
            else:
                await inward.send(SessionMessage(message))


async def _send(outward: anyio.abc.ObjectReceiveStream[SessionMessage], stdin: IO[bytes]) -> None:
    async with outward:
        async for each in outward:
            text = each.message.model_dump_json(by_alias=True, exclude_unset=True)
            with suppress(OSError, ValueError):  # the child is gone: the reader tells
                await anyio.to_thread.run_sync(_written, stdin, text.encode() + b"\n", abandon_on_cancel=True)


def _written(stdin: IO[bytes], data: bytes) -> None:
    view = memoryview(data)
    while view:  # unbuffered: a write may take a part
        view = view[stdin.write(view) :]
