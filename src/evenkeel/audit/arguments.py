"""The options of the audit's commands. Nothing heavy is imported here: `--help` and `--version` answer at once."""

from __future__ import annotations

import argparse
from datetime import date
from pathlib import Path

FORMATS = ("terminal", "concise", "full", "markdown", "html", "json", "sarif", "github", "gitlab")
LANGUAGES = ("en", "zh")
COMMANDS = "evenkeel.audit.commands"  # the module whose functions carry the commands out


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the parsers. Each sets `run`: `module:function`, which takes the arguments and gives an exit status."""
    _add_audit(commands.add_parser("audit", help="audit the backend at PATH: scores, findings, what to do"))
    _add_baseline(commands.add_parser("baseline", help="write down what is found now, so that audits report the rest"))
    _add_explain(commands.add_parser("explain", help="say why FILE:LINE was reported, or why it was not"))
    _add_mcp(commands.add_parser("mcp", help="serve audit, explain, plan and rule as tools to coding agents (MCP)"))
    discover = commands.add_parser("discover", help="print what is known of PATH before any code is judged")
    discover.add_argument("path", type=Path, metavar="PATH")
    discover.add_argument("--format", choices=("text", "json"), default="text")
    discover.set_defaults(run=f"{COMMANDS}:run_discover")
    rules = commands.add_parser("rules", help="list all rules")
    rules.set_defaults(run=f"{COMMANDS}:run_rules")
    rule = commands.add_parser("rule", help="print a rule's page: what, why, instead, when to leave it")
    rule.add_argument("slug", metavar="SLUG")
    rule.set_defaults(run=f"{COMMANDS}:run_rule")


def _add_audit(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("path", type=Path, metavar="PATH", help="the folder that holds the backend")
    add("--format", choices=FORMATS, help="what is printed (default: terminal)")
    add("--output", type=Path, action="append", default=[], metavar="FILE",
        help="write the report to FILE (.md .html .json .sarif .txt) and print the summary; may be repeated")  # fmt: skip
    add("--plan", action="store_true",
        help="the optimisation plan: printed, or with --output written beside each report as NAME.plan.md")  # fmt: skip
    add("--lang", choices=LANGUAGES, help="the language of reports and plan (default: as set, or en)")
    add("--fail-on", choices=("critical", "high", "medium", "low"), help="exit with 1 for findings at or above this")
    add("--date", type=_date, metavar="YYYY-MM-DD", help="the date in the report (default: today)")
    add(
        "--select",
        type=_names,
        action="extend",
        metavar="SLUGS",
        help="only these rules or categories, comma-separated",
    )
    add("--ignore", type=_names, action="extend", metavar="SLUGS", help="not these rules or categories")
    _add_run(parser)
    add("--baseline", type=Path, metavar="FILE", help="report only findings that are not in this baseline")
    add("--no-baseline", action="store_true", help="report all findings, whatever the settings say of a baseline")
    add("--diff", metavar="REF", help="report only findings on whose way lines changed since REF, as git tells them")
    add("--watch", action="store_true", help="audit again whenever a file changes, until Ctrl-C")
    _add_services(parser)
    parser.set_defaults(run=f"{COMMANDS}:run_audit")


def _add_services(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--research", action=argparse.BooleanOptionalAction, default=None,
        help="ask documentation servers (MCP) for good practice; sends names of technologies and topics alone")  # fmt: skip
    add("--tracker", choices=("none", "file", "linear"), default="none", help="where the one task goes (default: none)")
    add("--tracker-dir", type=Path, metavar="FOLDER", help="for --tracker file (default: as PATH's board says)")
    add("--team", default="", metavar="TEAM", help="for --tracker linear: the team's key, name, id or address")
    add("--dry-run", action="store_true", help="print what the tracker would be sent, and send nothing")


def _add_run(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--jobs", type=_positive, metavar="N", help="processes that read files (default: one per processor)")
    add("--timeout", type=_seconds, metavar="S", help="seconds that each worker may take")
    add("--no-cache", action="store_true", help="read every file again")
    add("--quiet", action="store_true", help="no progress and no summary")


def _add_baseline(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("action", choices=("create", "update", "prune"), metavar="create|update|prune",
        help="create: all findings; update: add new ones, remove mended ones; prune: only remove mended ones")  # fmt: skip
    add("path", type=Path, metavar="PATH", nargs="?", default=Path(), help="the folder that holds the backend")
    add("--file", type=Path, metavar="FILE", help="the baseline (default: as set, or PATH/evenkeel-baseline.json)")
    _add_run(parser)
    parser.set_defaults(run=f"{COMMANDS}.baselines:run_baseline")


def _add_explain(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("place", metavar="FILE:LINE", help="a line of the audited code")
    parser.add_argument(
        "--root", type=Path, metavar="PATH", help="the folder that holds the backend (default: the working directory)"
    )
    _add_run(parser)
    parser.set_defaults(run=f"{COMMANDS}.explaining:run_explain")


def _add_mcp(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--transport", choices=("stdio", "http"), default="stdio", help="how clients connect (default: stdio)")
    add("--host", default="127.0.0.1", metavar="HOST", help="for http (default: 127.0.0.1, this machine alone)")
    add("--port", type=_port, default=8765, metavar="PORT", help="for http; its path is /mcp (default: 8765)")
    add("--root", type=Path, action="append", default=[], metavar="FOLDER",
        help="what may be audited; may be repeated (default: the working directory)")  # fmt: skip
    add("--audits", type=_positive, default=2, metavar="N", help="audits that run at once (default: 2)")
    add("--timeout", type=_seconds, default=900.0, metavar="S", help="seconds that one audit may take (default: 900)")
    add("--research", action="store_true", help="let audits ask documentation servers")
    parser.set_defaults(run="evenkeel.audit.toolserver:run_mcp")


def _port(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 65_535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port from 1 to 65535")
    return int(text)


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a date such as 2026-02-04") from None


def _names(text: str) -> list[str]:
    return [each.strip() for each in text.split(",") if each.strip()]


def _positive(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 256:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 to 256")
    return int(text)


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds above 0")
    return value
