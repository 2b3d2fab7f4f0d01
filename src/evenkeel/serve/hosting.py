"""From options to a running process: settings, sockets, signals; one process, or a family of them."""

from __future__ import annotations

import argparse
import asyncio
import ipaddress
import logging
import os
import signal
import socket
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import uvicorn

from evenkeel.hotpath.storage.addresses import dialect_of
from evenkeel.kernel.errors import ConfigurationError
from evenkeel.serve.app import Server, open_server
from evenkeel.serve.family import FamilyRules, Kin, read_kin, reserved, supervise
from evenkeel.serve.lean_protocols import LeanHttp, LeanSocket
from evenkeel.serve.operations import collected_seldom, open_logs
from evenkeel.serve.settings import Settings, read_settings, rendered

LOG = logging.getLogger("evenkeel.serve")
DEMO_KEY = "demo"
MODEL = "default"
ACCEPTS = 4
"""Connections taken in one round of the loop. uvloop's libuv (1.46 and later) takes one a round and listening descriptor; a
busy loop makes a hundred rounds a second, so 600 clients that came back at once waited four seconds for their turn.
"""


def run(arguments: argparse.Namespace) -> int:
    """`evenkeel serve`. Answers the exit status once the server has stopped in order."""
    settings = effective(arguments, os.environ)
    if arguments.print_settings:
        sys.stdout.write(rendered(settings) + "\n")
        return 0
    logging.basicConfig(level=settings.operations.log_level.upper(), format="%(levelname)s %(name)s: %(message)s")
    if arguments.child is None and settings.server.instances > 1:
        return supervise(_family(settings), sys.argv[1:])
    kin = read_kin(os.environ) if arguments.child is not None else None
    return uvicorn_run(settings, kin)


def effective(arguments: argparse.Namespace, environ: Mapping[str, str]) -> Settings:
    """The settings that options, environment and file make together. Raises ConfigurationError."""
    settings = read_settings(arguments.config, environ, flags_of(arguments))
    if settings.auth.demo:
        settings = _as_demo(settings)
    if settings.server.instances > 1 and dialect_of(settings.storage.dsn) == "sqlite":
        raise ConfigurationError(
            f"{settings.server.instances} instances cannot share one SQLite file at speed.",
            hint="Add --postgres DSN, or start one instance.",
        )
    if settings.server.instances < 1:
        raise ConfigurationError(f"server.instances is {settings.server.instances}.", hint="Start at least one.")
    return settings


def flags_of(arguments: argparse.Namespace) -> dict[str, Any]:
    """Options as settings by path; None = not given."""
    flags = {
        "profile": arguments.profile,
        "server.host": arguments.host,
        "server.port": arguments.port,
        "server.instances": arguments.instances,
        "storage.dsn": arguments.postgres,
        "auth.demo": True if arguments.demo else None,
    }
    if arguments.sqlite is not None:
        flags["storage.dsn"] = f"sqlite:///{arguments.sqlite}"
    if arguments.model_url is not None:
        flags |= {"agent.model": MODEL, f"agent.models.{MODEL}.base_url": arguments.model_url}
        flags[f"agent.models.{MODEL}.model"] = arguments.model_name
    return flags


def _as_demo(settings: Settings) -> Settings:
    """What `--demo` makes easy must not be reachable from elsewhere."""
    if not _is_local(settings.server.host):
        raise ConfigurationError(
            f"--demo opens the server to anyone, and {settings.server.host} is reachable from elsewhere.",
            hint="Listen on 127.0.0.1, or leave --demo out and set EVENKEEL_API_KEY.",
        )
    key = settings.auth.api_key or DEMO_KEY
    return msgspec.structs.replace(settings, auth=msgspec.structs.replace(settings.auth, api_key=key))


def _is_local(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class InOrder(uvicorn.Server):
    """Stops in order: no new connections, streams of live runs to their end, then the rest."""

    def __init__(self, config: uvicorn.Config, server: Server) -> None:
        super().__init__(config)
        self._opened = server

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """See `uvicorn.Server`."""
        for listening in self.servers:
            listening.close()
        await self._opened.api.streams.drain()
        await super().shutdown(sockets)


def uvicorn_run(settings: Settings, kin: Kin | None = None) -> int:
    """Serve until told to stop; `kin` = this process is one of several."""
    from uvicorn.loops.auto import auto_loop_factory  # noqa: PLC0415 - chosen by platform

    stopped: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM):  # uvicorn raises them again once it has stopped: not to end us
        signal.signal(number, lambda number, _frame: stopped.append(number))
    with asyncio.Runner(loop_factory=auto_loop_factory(use_subprocess=False)) as runner:
        runner.run(_serve(settings, kin, stopped))
    return 0


async def _serve(settings: Settings, kin: Kin | None, stopped: Sequence[int]) -> None:
    listening = _listening(settings)
    doors = [listening, *(listening.dup() for _ in range(ACCEPTS - 1))]
    async with open_server(settings, gather=kin.gather if kin else None) as server:
        await _welcome(settings, server, listening.getsockname()[1], kin)
        if kin:
            kin.say_ready()  # evenkeel: ignore[blocking-io-in-async] one byte into an empty pipe, before the first request
        if not stopped:
            meters, every_s = server.parts.meters, settings.server.full_collection_s
            async with collected_seldom(meters, every_s=every_s):
                with open_logs(settings.operations, meters, settings.profile):
                    await InOrder(uvicorn_config(settings, server), server).serve([*doors, kin.own] if kin else doors)


def _listening(settings: Settings) -> socket.socket:
    """The socket of the public port. What it is set to, connections inherit: peers that are gone, or take nothing,
    are noticed by the kernel, so idle connections need no pings.
    """
    rules = settings.server
    sock = reserved(rules.host, rules.port, shared=rules.instances > 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in (
        ("TCP_KEEPIDLE", 60),
        ("TCP_KEEPINTVL", 20),
        ("TCP_KEEPCNT", 3),
        ("TCP_USER_TIMEOUT", int(settings.api.send_timeout_s * 1000)),
    ):
        if hasattr(socket, name):  # Linux
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
    sock.setblocking(False)
    sock.listen(rules.backlog)  # whoever reads that we serve may connect at once
    return sock


def uvicorn_config(settings: Settings, server: Server) -> uvicorn.Config:
    """uvloop, httptools, websockets without an own task per frame; no compression (it costs 100 KiB a connection)."""
    rules = settings.server
    return uvicorn.Config(
        server.api.asgi,
        loop="auto",
        http=LeanHttp,
        ws=LeanSocket,
        ws_max_size=settings.api.message_bytes,
        ws_per_message_deflate=False,
        ws_ping_interval=None,
        ws_ping_timeout=None,
        lifespan="off",
        log_config=None,
        # At `info` uvicorn writes two lines for every WebSocket: thousands at once when a crowd comes back.
        log_level="warning" if settings.operations.log_level == "info" else settings.operations.log_level,
        access_log=False,
        server_header=False,
        proxy_headers=bool(rules.forwarded_from),
        forwarded_allow_ips=list(rules.forwarded_from),
        limit_concurrency=rules.connections,
        backlog=rules.backlog,
        timeout_keep_alive=rules.keep_alive_s,
        timeout_graceful_shutdown=rules.graceful_s,
    )


async def _welcome(settings: Settings, server: Server, port: int, kin: Kin | None) -> None:
    """Make the first administrator, or print the link for it; say where the server is and how to ask it something."""
    secret = await server.api.accounts.prepare_first_admin(kin.secret if kin else "")
    if kin and kin.index:
        return
    host = f"[{settings.server.host}]" if ":" in settings.server.host else settings.server.host
    address = f"http://{host}:{port}"
    lines = [f"evenkeel serves at {address} ({settings.profile}, {dialect_of(settings.storage.dsn)})."]
    if secret:
        lines.append(f"First administrator: open {address}/#/setup/{secret} (works once).")
    if settings.auth.demo:
        key, body = settings.auth.api_key, '{"user_id": "me", "question": "hello"}'
        lines.append(f"Demonstration: admin/admin. Try: curl -N {address}/wunder -H 'X-API-Key: {key}' -d '{body}'")
    elif not settings.auth.api_key:
        lines.append("No API key is set (EVENKEEL_API_KEY): admin paths are open to administrators' tokens alone.")
    sys.stderr.write("\n".join(lines) + "\n")
    sys.stderr.flush()


def _family(settings: Settings) -> FamilyRules:
    rules, api = settings.server, settings.api
    return FamilyRules(
        rules.host,
        rules.port,
        rules.instances,
        rules.restart_s,
        rules.restart_max_s,
        stop_s=api.drain_s
        + rules.graceful_s
        + settings.agent_queue.drain_s
        + settings.outbox.drain_s
        + settings.writes.drain_s,
    )
