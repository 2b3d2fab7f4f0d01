"""`evenkeel baseline create|update|prune`: what is there now becomes what is known."""

from __future__ import annotations

import argparse
from pathlib import Path

from evenkeel.audit.baseline import FILE_NAME, compare, entry_of, read_baseline, write_baseline
from evenkeel.audit.commands.invocation import plain_options
from evenkeel.audit.commands.output import print_text
from evenkeel.audit.model.result import AuditResult
from evenkeel.audit.model.settings import AuditSettings
from evenkeel.audit.pipeline import AuditOptions, audit, checked_root, rules_not_run
from evenkeel.audit.report.terminal import progress_bar
from evenkeel.audit.report.text import plural
from evenkeel.kernel.errors import UnavailableError, UsageError

DONE = 0


def run_baseline(arguments: argparse.Namespace) -> int:
    """Audit the whole tree and write the file. Raises UnavailableError when a category could not be audited."""
    root = checked_root(arguments.path)
    options = plain_options(root, arguments)
    path = arguments.file or _stated(arguments.path, options.settings)
    if arguments.action == "create" and path.exists():
        hint = "`evenkeel baseline update` brings it up to date; remove it to begin anew."
        raise UsageError(f"{path} is there already.", hint=hint)
    known = read_baseline(path).entries if arguments.action != "create" else ()
    result = _audited(root, options, quiet=arguments.quiet)
    same = compare(known, result, rules_not_run(options.settings, result))
    new = [entry_of(each) for each in result.findings if each.fingerprint not in same.known]
    added = [] if arguments.action == "prune" else new
    write_baseline(path, (*same.kept, *added))
    if not arguments.quiet:
        counts = (len(added), len(same.stale), len(same.kept), len(new) - len(added))
        print_text(_told(arguments, path, counts))
    return DONE


def _stated(root: Path, settings: AuditSettings) -> Path:
    return root / (settings.baseline or FILE_NAME)


def _audited(root: Path, options: AuditOptions, *, quiet: bool) -> AuditResult:
    with progress_bar(enabled=not quiet) as progress:
        result = audit(root, options, progress)
    failed = [f"{each.category}: {each.note}" for each in result.categories if each.status == "failed"]
    if failed:
        hint = "The baseline was left as it is: mend that and run it again, perhaps with a longer --timeout."
        raise UnavailableError(f"Not everything was audited ({'; '.join(failed)}).", hint=hint)
    return result


def _told(arguments: argparse.Namespace, path: Path, counts: tuple[int, int, int, int]) -> str:
    added, removed, kept, left = counts
    if arguments.action == "create":
        use = f"Use it with `evenkeel audit {arguments.path} --baseline {path}`, or set `baseline` in the settings."
        return f"{path}: {plural(added, 'finding')} known from now on. {use}\n"
    new = f"{added:,} added" if arguments.action == "update" else f"{plural(left, 'new finding')} not added"
    return f"{path}: {kept:,} kept, {removed:,} removed, {new}.\n"
