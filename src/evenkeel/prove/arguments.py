"""The options of `evenkeel prove`. Nothing heavy is imported here: `--help` answers at once."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

COMMANDS = "evenkeel.prove.commands"


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the parser of the act."""
    parser = commands.add_parser(
        "prove",
        help="put the server under load, each remedy against its old way, and say what it is worth",
        description="Runs scenarios S1 to S4, or `parts`, on both paths in one session, and judges the ratios.",
    )
    add = parser.add_argument
    add("scenarios", nargs="*", metavar="S1|S2|S3|S4|parts", help="what to run (default: all four scenarios)")
    add("--database", choices=("sqlite", "postgres"), default="sqlite", help="default: sqlite")
    add("--dsn", default=os.environ.get("EVENKEEL_TEST_DSN", ""), metavar="DSN",
        help="a PostgreSQL on which databases may be created (default: $EVENKEEL_TEST_DSN, or a cluster of its own)")  # fmt: skip
    size = parser.add_mutually_exclusive_group()
    size.add_argument(
        "--quick", dest="size", action="store_const", const="quick", help="small loads, a few minutes; for CI"
    )
    size.add_argument("--full", dest="size", action="store_const", const="full", help="long runs, more pairs")
    parser.set_defaults(size="standard")
    add("--pairs", type=_count, metavar="N", help="pairs of A/B runs (a verdict needs 5)")
    add("--aa", type=_count, metavar="N", help="pairs of A/A runs")
    add(
        "--set",
        action="append",
        default=[],
        type=_change,
        metavar="NAME=NUMBER",
        help="change the load, e.g. streams=100",
    )
    add("--hours", type=float, metavar="H", help="length of S4, e.g. 72")
    add("--seed", type=int, default=1)
    add("--switch", default="", metavar="NAME", help="turn only this switch back in the other arm")
    add("--setting", action="append", default=[], metavar="KEY=VALUE",
        help="a setting of both servers, e.g. limiter.max_active=400")  # fmt: skip
    add("--alone", action="store_true", help="run our arm only: checks, limits and growth, no ratios")
    add("--against", default="", metavar="URL", help="compare with another server that speaks the agent API")
    add("--against-key", default="", metavar="KEY", help="its API key")
    add("--model-port", type=int, default=0, metavar="PORT", help="where the simulated model listens (for --against)")
    add("--json", type=Path, metavar="FILE", help="write the evidence")
    add("--html", type=Path, metavar="FILE", help="write a page with charts that opens offline")
    add("--save-baseline", type=Path, metavar="FILE", help="write the ratios down")
    add("--check-baseline", type=Path, metavar="FILE", help="exit with 1 when a ratio has fallen behind this baseline")
    add("--from", dest="source", type=Path, metavar="FILE", help="run nothing: read evidence that --json wrote")
    add("--keep", type=Path, metavar="FOLDER", help="keep the servers' logs there")
    add("--quiet", action="store_true", help="no progress")
    parser.set_defaults(run=f"{COMMANDS}:run_prove")


def _count(text: str) -> int:
    if not text.isdecimal() or not 0 <= int(text) <= 1000:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0 to 1000")
    return int(text)


def _change(text: str) -> tuple[str, float]:
    name, found, value = text.partition("=")
    try:
        return name, float(value) if found else float("nan")
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=NUMBER") from None
