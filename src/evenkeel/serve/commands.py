"""The options of `evenkeel serve`. Nothing heavy is imported here: `--help` answers at once, without the extra."""

from __future__ import annotations

import argparse
import importlib
from pathlib import Path
from types import ModuleType

from evenkeel.kernel.errors import ConfigurationError

COMMANDS = "evenkeel.serve.commands"


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `serve` and `doctor`. Each sets `run`: `module:function`, which takes the arguments and gives a status."""
    serve = commands.add_parser(
        "serve",
        help="start the agent backend",
        description="Start the agent backend: SQLite and a built-in offline model unless told otherwise. Settings come "
        "from --config, then the environment (EVENKEEL_<SECTION>__<KEY>, EVENKEEL_API_KEY), then these options.",
    )
    _add_options(serve)
    serve.set_defaults(run=f"{COMMANDS}:run_serve")
    doctor = commands.add_parser("doctor", help="look at all that the agent backend needs to start; change nothing")
    _add_options(doctor)
    doctor.set_defaults(run=f"{COMMANDS}:run_doctor")


def _add_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--config", type=Path, metavar="FILE", help="settings, as TOML")
    add("--host", help="the address to listen on (default: 127.0.0.1)")
    add("--port", type=int, help="the port (default: 8000; 0: any free one)")
    place = parser.add_mutually_exclusive_group()
    place.add_argument("--postgres", metavar="DSN", help="keep everything in this PostgreSQL database")
    place.add_argument(
        "--sqlite", type=Path, metavar="PATH", help="keep everything in this file (default: evenkeel.db)"
    )
    add("--instances", type=int, metavar="N", help="processes that share the port; more than 1 needs --postgres")
    add("--profile", choices=("optimised", "rollback"), help="which path the parts take (default: optimised)")
    add("--model-url", metavar="URL", help="an OpenAI-compatible endpoint for the agent (default: built-in model)")
    add("--model-name", metavar="NAME", help="the model to ask for there")
    add("--demo", action="store_true",
        help="to try it out: admin/admin, API key `demo`, log-in without a password; local addresses only")  # fmt: skip
    add("--print-settings", action="store_true", help="print the effective settings, secrets masked, and stop")
    add("--child", type=int, metavar="N", help=argparse.SUPPRESS)  # one of `--instances`, started by the first process


def run_serve(arguments: argparse.Namespace) -> int:
    """Start it. Raises ConfigurationError that names the extra where the server's dependencies are not installed."""
    return int(_hosting().run(arguments))


def run_doctor(arguments: argparse.Namespace) -> int:
    """Look at everything. Answers 2 when something keeps the server from starting."""
    return int(_hosting().examine(arguments))


def _hosting() -> ModuleType:
    try:
        return importlib.import_module("evenkeel.serve.hosting")
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("evenkeel"):
            raise
        raise ConfigurationError(
            f"The server needs {error.name}, which is not installed.", hint="pip install 'evenkeel[serve]'"
        ) from None
