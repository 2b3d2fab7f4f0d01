"""What a command line and the project's settings come to: the options of one audit."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import Any

import msgspec
from platformdirs import user_cache_path, user_state_path

from evenkeel.audit.baseline import Baseline, read_baseline
from evenkeel.audit.changes import Changes, changes_since
from evenkeel.audit.commands.output import print_aside, print_text
from evenkeel.audit.model.settings import AuditSettings
from evenkeel.audit.pipeline import AuditOptions
from evenkeel.audit.research import Caller, Provider, build_providers
from evenkeel.audit.tracker import Tracker, TrackerChoice, build_tracker
from evenkeel.kernel.errors import UsageError
from evenkeel.kernel.settings import load_settings

OTHER_ACTS = frozenset({"serve", "hotpath", "prove"})  # tables of the settings file that are not the audit's


def options_of(root: Path, arguments: argparse.Namespace) -> AuditOptions:
    """The options of `evenkeel audit`. Raises UsageError or ConfigurationError before anything is audited."""
    settings = settings_of(root, arguments)
    return AuditOptions(
        date=(arguments.date or _today()).isoformat(),
        settings=settings,
        tracker=_tracker(root, arguments, settings),
        providers=_providers(arguments, settings),
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


def _today() -> date:
    return datetime.now().astimezone().date()


def _providers(arguments: argparse.Namespace, settings: AuditSettings) -> tuple[Provider, ...]:
    """`--research` allows what the settings define, `--no-research` turns it off whatever they say."""
    research = settings.research
    if arguments.research is False:
        research = msgspec.structs.replace(research, enabled=False)
    cache = None if arguments.no_cache else user_cache_path("evenkeel", appauthor=False) / "research"
    caller = Caller(os.environ, _today().isoformat(), cache, asked=bool(arguments.research))
    return build_providers(research, caller)


def _tracker(root: Path, arguments: argparse.Namespace, settings: AuditSettings) -> Tracker:
    if arguments.dry_run and arguments.tracker == "none":
        raise UsageError("--dry-run is about the tracker.", hint="Add --tracker linear or --tracker file.")
    chosen = settings.tracker
    if arguments.team:
        chosen = msgspec.structs.replace(chosen, team=arguments.team)
    choice = TrackerChoice(
        name=arguments.tracker,
        root=root,
        state=user_state_path("evenkeel", appauthor=False) / "tracker",
        environment=os.environ,
        settings=chosen,
        folder=arguments.tracker_dir,
        show=_shown(arguments.format) if arguments.dry_run else None,
    )
    return build_tracker(choice)


def _shown(form: str | None) -> Callable[[str], None]:
    """Beside a report that is read by people, the request goes to stdout too; a program's input is not mixed with it."""
    if form in {None, "terminal"}:
        return lambda text: print_text(f"{text}\n")
    return lambda text: print_aside(f"{text}\n")


def _baseline(root: Path, arguments: argparse.Namespace, settings: AuditSettings) -> Baseline | None:
    if arguments.baseline is not None:
        return read_baseline(arguments.baseline)
    if settings.baseline is None or arguments.no_baseline:
        return None
    return read_baseline(root / settings.baseline, settings.baseline)


def _changes(root: Path, arguments: argparse.Namespace) -> Changes | None:
    return changes_since(root, arguments.diff) if arguments.diff is not None else None
