"""What the audit's commands do: parsed options in, text and an exit status out."""

from __future__ import annotations

import argparse
import difflib
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from evenkeel import __version__
from evenkeel.audit.commands.invocation import options_of
from evenkeel.audit.commands.output import print_text, say, write_file
from evenkeel.audit.commands.watching import watch
from evenkeel.audit.model.finding import CATEGORIES, SEVERITIES
from evenkeel.audit.model.result import AuditResult
from evenkeel.audit.pipeline import Progress, audit, checked_root
from evenkeel.audit.report import json, profile
from evenkeel.audit.report.completion import TRACKER_ITEM
from evenkeel.audit.report.formats import SHOWS_RULES, SUFFIXES, Material, build_material, render
from evenkeel.audit.rules import all_rules
from evenkeel.audit.wording import wording_of
from evenkeel.kernel.collection import without_collection
from evenkeel.kernel.errors import UsageError

CLEAN, FOUND, INCOMPLETE = 0, 1, 2


def run_audit(arguments: argparse.Namespace) -> int:
    """Exit status 0, 1 or 2 as the rules of the audit state it."""
    if arguments.watch and arguments.tracker != "none":
        raise UsageError("--watch and --tracker do not go together.", hint="Create the task in a run of its own.")
    if arguments.watch:
        written = [*arguments.output, *(plans_beside(arguments.output) if arguments.plan else ())]
        return watch(checked_root(arguments.path), lambda: _audited_once(arguments), written)
    return _audited_once(arguments)


def _audited_once(arguments: argparse.Namespace) -> int:
    with without_collection():
        return _audited(arguments)


def _audited(arguments: argparse.Namespace) -> int:
    outputs = _outputs(arguments.output, arguments.format)
    _refuse_two_on_stdout(arguments)
    root = checked_root(arguments.path)
    options = options_of(root, arguments)
    with _progress_bar(quiet=arguments.quiet) as progress:
        result = audit(root, options, progress)
    form = arguments.format or ("plan" if arguments.plan else "terminal")
    rules = all_rules() if SHOWS_RULES.intersection((form, *(each for _, each in outputs))) else ()
    material = build_material(result, root, rules, __version__, wording_of(options.settings.lang))
    for path, chosen in outputs:
        write_file(path, render(chosen, material))
    for path in plans_beside(arguments.output) if arguments.plan else ():
        write_file(path, _plan(result, material))
    _printed(result, "terminal" if outputs else form, material, quiet=arguments.quiet)
    if arguments.tracker != "none" and not arguments.dry_run:
        _tell_missing_task(result)
    return exit_status(result, options.settings.fail_on)


def _progress_bar(*, quiet: bool) -> AbstractContextManager[Progress]:
    if quiet:
        return nullcontext(lambda *_: None)
    from evenkeel.audit.report import terminal  # noqa: PLC0415 - it takes longer to load than all that comes before

    return terminal.progress_bar(enabled=True)


def _tell_missing_task(result: AuditResult) -> None:
    """Whoever asked for a task hears on stderr that there is none, whatever the report's format."""
    for each in result.definition_of_done:
        if each.item == TRACKER_ITEM and not each.done:
            say(f"no task was created: {each.note}")


def exit_status(result: AuditResult, fail_on: str | None) -> int:
    """1: findings at or above `fail_on`. 2: no category ran, or one did not run that `fail_on` would have needed."""
    failed = [each for each in result.categories if each.status == "failed"]
    for each in failed:
        say(f"{each.category} was not audited: {each.note}.")
    if fail_on is not None:
        reached = sum(result.counts.of(each) for each in SEVERITIES[: SEVERITIES.index(fail_on.upper()) + 1])
        if reached:
            say(f"{reached} finding{'s' if reached > 1 else ''} at or above {fail_on}.")
            return FOUND
    incomplete = failed if fail_on is not None else len(failed) == len(result.categories)
    return INCOMPLETE if incomplete else CLEAN


def run_discover(arguments: argparse.Namespace) -> int:
    """Print the profile alone."""
    from evenkeel.audit.discovery import discover  # noqa: PLC0415 - an audit loads it beside the reading

    found = discover(checked_root(arguments.path))
    as_json = arguments.format == "json"
    print_text(json.indented(profile.published(found)) if as_json else profile.render_text(found))
    return CLEAN


def run_rules(arguments: argparse.Namespace) -> int:  # noqa: ARG001 - one signature for all commands
    """Print one line per rule, by category."""
    rules = all_rules()
    width = max(len(each.slug) for each in rules)
    blocks = [
        "\n".join([title, *(f"  {r.slug:{width}}  {r.severity:8}  {r.title}" for r in rules if r.category == category)])
        for category, title, _ in CATEGORIES
    ]
    print_text("\n\n".join(blocks) + "\n")
    return CLEAN


def run_rule(arguments: argparse.Namespace) -> int:
    """Print a rule's page."""

    rules = {each.slug: each for each in all_rules()}
    rule = rules.get(arguments.slug)
    if rule is None:
        close = difflib.get_close_matches(arguments.slug, rules, n=1)
        hint = f"Did you mean {close[0]}?" if close else "`evenkeel rules` lists them."
        raise UsageError(f"There is no rule {arguments.slug!r}.", hint=hint)
    print_text(f"{rule.slug} ({rule.category}, {rule.severity})\n\n{rule.page.strip()}\n")
    return CLEAN


def _outputs(paths: Sequence[Path], form: str | None) -> list[tuple[Path, str]]:
    """Each file with its format. Raises UsageError before the audit starts, not after it."""
    found: list[tuple[Path, str]] = []
    for path in paths:
        chosen = form or SUFFIXES.get(path.suffix.lower())
        if chosen is None:
            raise UsageError(
                f"The name {path} does not tell its format.",
                hint="Add --format, or end it in .md, .html, .json or .sarif.",
            )
        if path.is_dir():
            raise UsageError(f"{path} is a folder.", hint="Give --output a file.")
        if not path.absolute().parent.is_dir():
            raise UsageError(f"The folder of {path} does not exist.", hint="Make it first, or choose another.")
        found.append((path, chosen))
    return found


def _plan(result: AuditResult, material: Material) -> str:
    from evenkeel.audit.report import plan  # noqa: PLC0415 - few runs are asked for it

    return plan.render(result, name=material.name, language=material.say.language)


def _printed(result: AuditResult, form: str, material: Material, *, quiet: bool) -> None:
    if form == "plan":
        print_text(_plan(result, material))
    elif form != "terminal":
        print_text(render(form, material), trusted=form == "github")
    elif not quiet:
        from evenkeel.audit.report import terminal  # noqa: PLC0415 - a report for a program needs no console

        print_text(terminal.painted(material.result, name=material.name, say=material.say))


def plans_beside(reports: Sequence[Path]) -> list[Path]:
    """Where the plan goes: `report.md` and `report.html` -> `report.plan.md`, once."""
    return list(dict.fromkeys(each.with_suffix(".plan.md") for each in reports))


def _refuse_two_on_stdout(arguments: argparse.Namespace) -> None:
    """Raises UsageError for a report in a format and a plan when there is one stdout for both."""
    if arguments.plan and arguments.format and not arguments.output:
        hint = "Add --output FILE: the plan is written beside it. Or leave --format out: the plan is printed."
        raise UsageError(f"--plan and --format {arguments.format} cannot both be printed.", hint=hint)
