"""What a command line and the project's settings come to: the options of one audit."""

from __future__ import annotations

import argparse
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from evenkeel.audit.baseline import Baseline, read_baseline
from evenkeel.audit.changes import Changes, changes_since
from evenkeel.audit.model.settings import AuditSettings
from evenkeel.audit.pipeline import AuditOptions
from evenkeel.audit.tracker import build_tracker
from evenkeel.kernel.settings import load_settings

OTHER_ACTS = frozenset({"serve", "hotpath", "prove"})  # tables of the settings file that are not the audit's


def options_of(root: Path, arguments: argparse.Namespace) -> AuditOptions:
    """The options of `evenkeel audit`. Raises UsageError or ConfigurationError before anything is audited."""
    settings = settings_of(root, arguments)
    return AuditOptions(
        date=(arguments.date or datetime.now().astimezone().date()).isoformat(),
        settings=settings,
        tracker=build_tracker(arguments.tracker, arguments.tracker_dir),
        use_cache=not arguments.no_cache,
        baseline=_baseline(root, arguments, settings),
        changes=_changes(root, arguments),
    )


def plain_options(root: Path, arguments: argparse.Namespace) -> AuditOptions:
    """The options of a command that audits for a purpose of its own: every finding, no task, no date to show."""
    settings = settings_of(root, arguments)
    return AuditOptions(date="0001-01-01", settings=settings, use_cache=not arguments.no_cache)


def settings_of(root: Path, arguments: argparse.Namespace) -> AuditSettings:
    """The project's settings, with what the command line gives in their place; `ignore` is added to."""
    stated = load_settings(root, AuditSettings, others=OTHER_ACTS)
    given: dict[str, Any] = {
        name: getattr(arguments, name, None) for name in ("select", "ignore", "fail_on", "jobs", "timeout", "lang")
    }
    chosen = {key: tuple(value) if isinstance(value, list) else value for key, value in given.items() if value}
    if "ignore" in chosen:
        chosen["ignore"] = (*stated.ignore, *chosen["ignore"])
    return msgspec.structs.replace(stated, **chosen)


def _baseline(root: Path, arguments: argparse.Namespace, settings: AuditSettings) -> Baseline | None:
    if arguments.baseline is not None:
        return read_baseline(arguments.baseline)
    if settings.baseline is None or arguments.no_baseline:
        return None
    return read_baseline(root / settings.baseline, settings.baseline)


def _changes(root: Path, arguments: argparse.Namespace) -> Changes | None:
    return changes_since(root, arguments.diff) if arguments.diff is not None else None
