"""What the audit's commands do: parsed options in, text and an exit status out."""

from __future__ import annotations

import argparse
import difflib
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import msgspec

from evenkeel.audit.discovery import discover
from evenkeel.audit.model.finding import CATEGORIES, SEVERITIES
from evenkeel.audit.model.result import AuditResult
from evenkeel.audit.model.settings import AuditSettings
from evenkeel.audit.pipeline import AuditOptions, audit, checked_root
from evenkeel.audit.report import json, markdown, profile, terminal
from evenkeel.audit.rules import all_rules
from evenkeel.audit.tracker import build_tracker
from evenkeel.kernel.errors import UsageError
from evenkeel.kernel.settings import load_settings

Format = Literal["terminal", "markdown", "json"]
SUFFIXES: dict[str, Format] = {".md": "markdown", ".markdown": "markdown", ".json": "json", ".txt": "terminal"}
OTHER_ACTS = frozenset({"serve", "hotpath", "prove"})  # tables of the settings file that are not the audit's
CLEAN, FOUND, INCOMPLETE = 0, 1, 2


def run_audit(arguments: argparse.Namespace) -> int:
    """Exit status 0, 1 or 2 as the rules of the audit state it."""
    outputs = _outputs(arguments.output, arguments.format)
    tracker = build_tracker(arguments.tracker, arguments.tracker_dir)
    root = checked_root(arguments.path)
    settings = _settings(root, arguments)
    today = (arguments.date or datetime.now().astimezone().date()).isoformat()
    options = AuditOptions(date=today, settings=settings, tracker=tracker, use_cache=not arguments.no_cache)
    with terminal.progress_bar(enabled=not arguments.quiet) as progress:
        result = audit(root, options, progress)
    for path, form in outputs:
        _write_file(path, _rendered(result, form, root.name))
    _print_result(result, "terminal" if outputs else arguments.format or "terminal", root.name, quiet=arguments.quiet)
    return exit_status(result, settings.fail_on)


def exit_status(result: AuditResult, fail_on: str | None) -> int:
    """1: findings at or above `fail_on`. 2: no category ran, or one did not run that `fail_on` would have needed."""
    failed = [each for each in result.categories if each.status == "failed"]
    for each in failed:
        _say(f"{each.category} was not audited: {each.note}.")
    if fail_on is not None:
        reached = sum(result.counts.of(each) for each in SEVERITIES[: SEVERITIES.index(fail_on.upper()) + 1])
        if reached:
            _say(f"{reached} finding{'s' if reached > 1 else ''} at or above {fail_on}.")
            return FOUND
    incomplete = failed if fail_on is not None else len(failed) == len(result.categories)
    return INCOMPLETE if incomplete else CLEAN


def run_discover(arguments: argparse.Namespace) -> int:
    """Print the profile alone."""
    found = discover(checked_root(arguments.path))
    as_json = arguments.format == "json"
    _print(json.indented(profile.published(found)) if as_json else profile.render_text(found))
    return CLEAN


def run_rules(arguments: argparse.Namespace) -> int:  # noqa: ARG001 - one signature for all commands
    """Print one line per rule, by category."""
    rules = all_rules()
    width = max(len(each.slug) for each in rules)
    blocks = [
        "\n".join([title, *(f"  {r.slug:{width}}  {r.severity:8}  {r.title}" for r in rules if r.category == category)])
        for category, title, _ in CATEGORIES
    ]
    _print("\n\n".join(blocks) + "\n")
    return CLEAN


def run_rule(arguments: argparse.Namespace) -> int:
    """Print a rule's page."""

    rules = {each.slug: each for each in all_rules()}
    rule = rules.get(arguments.slug)
    if rule is None:
        close = difflib.get_close_matches(arguments.slug, rules, n=1)
        hint = f"Did you mean {close[0]}?" if close else "`evenkeel rules` lists them."
        raise UsageError(f"There is no rule {arguments.slug!r}.", hint=hint)
    _print(f"{rule.slug} ({rule.category}, {rule.severity})\n\n{rule.page.strip()}\n")
    return CLEAN


def _settings(root: Path, arguments: argparse.Namespace) -> AuditSettings:
    """The project's settings, with what the command line gives in their place."""

    stated = load_settings(root, AuditSettings, others=OTHER_ACTS)
    given: dict[str, Any] = {
        "select": arguments.select and tuple(arguments.select),
        "ignore": arguments.ignore and (*stated.ignore, *arguments.ignore),
        "fail_on": arguments.fail_on,
        "jobs": arguments.jobs,
        "timeout": arguments.timeout,
    }
    return msgspec.structs.replace(stated, **{key: value for key, value in given.items() if value is not None})


def _outputs(paths: Sequence[Path], form: Format | None) -> list[tuple[Path, Format]]:
    """Each file with its format. Raises UsageError before the audit starts, not after it."""
    found: list[tuple[Path, Format]] = []
    for path in paths:
        chosen = form or SUFFIXES.get(path.suffix.lower())
        if chosen is None:
            raise UsageError(
                f"The name {path} does not tell its format.", hint="Add --format, or end it in .md or .json."
            )
        if path.is_dir():
            raise UsageError(f"{path} is a folder.", hint="Give --output a file.")
        if not path.absolute().parent.is_dir():
            raise UsageError(f"The folder of {path} does not exist.", hint="Make it first, or choose another.")
        found.append((path, chosen))
    return found


def _rendered(result: AuditResult, form: Format, name: str) -> str:

    if form == "json":
        return json.render(result)
    return markdown.render(result) if form == "markdown" else terminal.render(result, name=name)


def _print_result(result: AuditResult, form: Format, name: str, *, quiet: bool) -> None:

    if form != "terminal":
        _print(_rendered(result, form, name))
    elif not quiet:
        _print(terminal.painted(result, name=name))


def _print(text: str) -> None:
    """UTF-8 on stdout, whatever the locale. A reader who leaves early is no error."""
    try:
        sys.stdout.buffer.write(text.encode("utf-8", "backslashreplace"))
        sys.stdout.flush()
    except BrokenPipeError:
        sys.stdout = None  # nobody reads any more; the interpreter must not try to flush it at exit


def _say(text: str) -> None:
    sys.stderr.write(f"evenkeel: {text}\n")


def _write_file(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8", errors="backslashreplace", newline="\n")
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}.", hint="Choose another file.") from error
