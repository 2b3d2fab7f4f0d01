"""The command line: parse, pick an act, map errors to an exit status; nothing else."""

from __future__ import annotations

import argparse
import gc
import importlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from evenkeel import __version__
from evenkeel.audit import arguments as audit
from evenkeel.kernel.collection import without_collection
from evenkeel.kernel.errors import EvenkeelError, outcome_of
from evenkeel.prove import arguments as prove
from evenkeel.serve.commands import add_commands as add_serve

INTERRUPTED = 130  # what a shell expects after Ctrl-C: 128 + SIGINT
BROKEN = 2


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command. 0: done; 1: findings at or above --fail-on; 2: the work could not be done; 130: interrupted."""
    status = _run(_parser().parse_args(argv))
    if argv is None:
        # The process ends: to look through all that lives once more takes it a tenth of a second after an audit.
        gc.freeze()
    return status


def _run(arguments: argparse.Namespace) -> int:
    try:
        module, _, function = arguments.run.partition(":")
        with without_collection():
            loaded = importlib.import_module(module)
        status = getattr(loaded, function)(arguments)
    except KeyboardInterrupt:
        return _stop("interrupted; nothing was finished.", INTERRUPTED)
    except EvenkeelError as error:
        return _stop(str(error), outcome_of(error).exit_status)
    except Exception as error:  # status 1 means findings: a crash must not end with it
        return _stop(_crash(error), BROKEN)
    return int(status)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="evenkeel", description="Find, fix and prove what makes a backend fall over under load."
    )
    parser.add_argument("--version", action="version", version=f"evenkeel {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    audit.add_commands(commands)
    add_serve(commands)
    prove.add_commands(commands)
    return parser


def _stop(message: str, status: int) -> int:
    sys.stderr.write(f"evenkeel: {' '.join(message.split())}\n")  # one line: an error may quote audited code
    return status


def _crash(error: Exception) -> str:
    import traceback  # noqa: PLC0415 - a run that does not crash needs none

    if os.environ.get("EVENKEEL_DEBUG"):
        traceback.print_exc()
    where = traceback.extract_tb(error.__traceback__)[-1]
    place = f"{Path(where.filename).name}:{where.lineno}"
    hint = "This is a fault of evenkeel. Run again with EVENKEEL_DEBUG=1 for the traceback, and report it."
    return f"{type(error).__name__} at {place}: {error}. {hint}"
