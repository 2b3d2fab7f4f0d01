"""`evenkeel doctor`: from options to a report on everything that a start depends on."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path

from evenkeel.kernel.errors import ConfigurationError
from evenkeel.serve.hosting import effective
from evenkeel.serve.operations.doctor import Check, State, Subject, diagnose, is_fit
from evenkeel.serve.settings import Settings, rendered

CANNOT_START = 2
WIDTH = 110


def run(arguments: argparse.Namespace) -> int:
    """Print the checks. Answers 0 when the server can start, else 2."""
    try:
        settings = effective(arguments, os.environ)
    except ConfigurationError as error:  # nothing else can be looked at before the settings hold
        checks = [Check("settings", State.BAD, error.message, error.hint)]
    else:
        if arguments.print_settings:
            sys.stdout.write(rendered(settings) + "\n")
            return 0
        checks = asyncio.run(diagnose(_subject(settings, arguments.config)))
    sys.stdout.write(_as_json(checks) if arguments.json else _as_table(checks))
    return 0 if is_fit(checks) else CANNOT_START


def _subject(settings: Settings, config: Path | None) -> Subject:
    agent = settings.agent
    return Subject(
        storage=settings.storage,
        host=settings.server.host,
        port=settings.server.port,
        connections=settings.server.connections,
        api_key=settings.auth.api_key,
        profile=settings.profile,
        workspace=Path(agent.workspace.root) if agent.workspace.enabled else None,
        endpoints=[model.base_url for model in agent.models.values() if model.base_url],
        config=config,
    )


def _as_json(checks: Sequence[Check]) -> str:
    told = [{"name": c.name, "state": c.state.value, "detail": c.detail, "hint": _hint(c)} for c in checks]
    return json.dumps({"fit": is_fit(checks), "checks": told}, indent=2, ensure_ascii=False) + "\n"


def _as_table(checks: Sequence[Check]) -> str:
    """One line a check, what to do below those that are not well."""
    column = max(len(check.name) for check in checks)
    lines: list[str] = []
    for check in checks:
        head = f"{check.state.value:<4}  {check.name:<{column}}  "
        lines += textwrap.wrap(check.detail, WIDTH, initial_indent=head, subsequent_indent=" " * len(head)) or [head]
        if _hint(check):
            indent = " " * len(head)
            lines += textwrap.wrap(f"-> {_hint(check)}", WIDTH, initial_indent=indent, subsequent_indent=f"{indent}   ")
    doubts = sum(check.state is State.DOUBTFUL for check in checks)
    verdict = "The server can start." if is_fit(checks) else "The server cannot start."
    return "\n".join([*lines, "", f"{verdict} {doubts} warning{'' if doubts == 1 else 's'}."]) + "\n"


def _hint(check: Check) -> str:
    return "" if check.state is State.GOOD else check.hint
