"""`evenkeel explain FILE:LINE`: why a line was reported, or why it was not."""

from __future__ import annotations

import argparse
import re
from dataclasses import replace
from pathlib import Path

from evenkeel import __version__
from evenkeel.audit.baseline import read_baseline
from evenkeel.audit.commands.invocation import plain_options
from evenkeel.audit.commands.output import print_text
from evenkeel.audit.pipeline import AuditOptions, audit, checked_root, explain
from evenkeel.audit.report import explanation
from evenkeel.audit.report.material import build_material
from evenkeel.audit.report.terminal import progress_bar
from evenkeel.audit.rules import all_rules
from evenkeel.kernel.errors import NotFoundError, UsageError

DONE = 0
_PLACE = re.compile(r"(?P<file>.+?):(?P<line>\d+)(?::\d+)?:?", re.DOTALL)  # as compilers and editors write it


def run_explain(arguments: argparse.Namespace) -> int:
    """Audit, then look at the one line again with every step kept."""
    path, line = _place(arguments.place)
    root = checked_root(arguments.root or Path())
    if not path.is_relative_to(root):
        raise UsageError(f"{path} does not lie in {root}.", hint="Give the audited folder with --root PATH.")
    options = _options(root, arguments)
    with progress_bar(enabled=not arguments.quiet) as progress:
        result = audit(root, options, progress)
    found = explain(root, options, path.relative_to(root).as_posix(), line)
    print_text(explanation.render(found, build_material(result, root, all_rules(), __version__)))
    return DONE


def _options(root: Path, arguments: argparse.Namespace) -> AuditOptions:
    options = plain_options(root, arguments)
    name = options.settings.baseline
    if name is None or not (root / name).is_file():
        return options
    return replace(options, baseline=read_baseline(root / name, name))


def _place(text: str) -> tuple[Path, int]:
    match = _PLACE.fullmatch(text)
    if match is None:
        raise UsageError(f"{text!r} is not FILE:LINE.", hint="Give a file and a line number: app/jobs.py:12.")
    path, line = Path(match["file"]), int(match["line"])
    if not path.is_file():
        raise NotFoundError(f"{path} is no file.", hint="Give it as it is found from the working directory.")
    count = path.read_bytes().count(b"\n") + 1
    if not 1 <= line <= count:
        raise UsageError(f"{path} has {count:,} lines; there is no line {line:,}.", hint="Give one of them.")
    return path.resolve(), line
