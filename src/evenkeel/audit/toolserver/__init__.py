"""`evenkeel mcp`: the audit as tools for coding agents, over the Model Context Protocol.

Promises: nothing but protocol on stdout in stdio mode; paths outside the allowed folders are refused; an audit runs in a
process of its own, so the server goes on answering, and a call that is cancelled ends its audit; no more audits at once than
is said, and a bounded number that wait; no tracker, and research only where the server was started with it.
"""

from __future__ import annotations

import argparse
import importlib.util
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

from evenkeel.audit.toolserver.confinement import Confinement
from evenkeel.audit.toolserver.runs import Runs
from evenkeel.kernel.errors import UsageError

DONE = 0
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


def run_mcp(arguments: argparse.Namespace) -> int:
    """Serve until the client leaves (stdio) or Ctrl-C (HTTP). Raises UsageError when it cannot begin."""
    if importlib.util.find_spec("mcp") is None:
        raise UsageError("`evenkeel mcp` needs an extra.", hint="pip install 'evenkeel[mcp]'")
    from evenkeel.audit.toolserver.tools import build_server  # noqa: PLC0415 - an extra

    confinement = Confinement(_folders(arguments.root))
    runs = Runs(limit=arguments.audits, timeout_s=arguments.timeout)
    server = build_server(confinement, runs, research=arguments.research)
    if arguments.transport == "stdio":
        server.run("stdio")
        return DONE
    _refuse_taken(arguments.host, arguments.port)
    if arguments.host not in LOOPBACK:
        sys.stderr.write(f"evenkeel: whoever reaches {arguments.host}:{arguments.port} can audit {confinement}.\n")
    server.run("streamable-http", host=arguments.host, port=arguments.port)
    return DONE


def _folders(stated: Sequence[Path]) -> tuple[Path, ...]:
    for each in stated:
        if not each.is_dir():
            raise UsageError(f"{each} is no folder.", hint="Give --root a folder that holds backends.")
    return tuple(each.resolve() for each in stated) or (Path.cwd(),)


def _refuse_taken(host: str, port: int) -> None:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        raise UsageError(f"{host}:{port} cannot be used: {error.strerror}.", hint="Choose another --port.") from error
