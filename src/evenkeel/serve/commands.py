"""The options of `evenkeel serve` and `evenkeel doctor`. Nothing heavy is imported here: `--help` answers without the extra."""

from __future__ import annotations

import argparse
import importlib
from pathlib import Path
from types import ModuleType

from evenkeel.kernel.errors import ConfigurationError


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `serve` and `doctor`. Each sets `run`: `module:function`, which takes the arguments and gives a status."""
    serve = commands.add_parser(
        "serve",
        help="start the agent backend",
        description="Start the agent backend: SQLite and a built-in offline model unless told otherwise. Settings come "
        "from --config, then the environment (EVENKEEL_<SECTION>__<KEY>, EVENKEEL_API_KEY), then these options.",
    )
    _add_settings(serve)
    serve.add_argument("--child", type=int, metavar="N", help=argparse.SUPPRESS)  # one of `--instances`
    serve.set_defaults(run="evenkeel.serve.commands:run_serve")
    doctor = commands.add_parser(
        "doctor",
        help="look at everything that a start of the agent backend depends on",
        description="Look at settings, versions, port, permissions, database and model endpoints, change nothing, and "
        "say what to do. Takes the options of `serve`. Status 0: the server can start; 2: it cannot.",
    )
    _add_settings(doctor)
    doctor.add_argument("--json", action="store_true", help="print the checks as JSON")
    doctor.set_defaults(run="evenkeel.serve.commands:run_doctor", child=None)


def _add_settings(parser: argparse.ArgumentParser) -> None:
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


def run_serve(arguments: argparse.Namespace) -> int:
    """Start it. Raises ConfigurationError that names the extra where the server's dependencies are not installed."""
    return int(_loaded("hosting").run(arguments))


def run_doctor(arguments: argparse.Namespace) -> int:
    """Look at it. Raises as `run_serve`."""
    return int(_loaded("doctor").run(arguments))


def _loaded(module: str) -> ModuleType:
    try:
        return importlib.import_module(f"evenkeel.serve.{module}")
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("evenkeel"):
            raise
        raise ConfigurationError(
            f"The server needs {error.name}, which is not installed.", hint="pip install 'evenkeel[serve]'"
        ) from None
