"""What is done with the options: run, show, write down, and the exit status.

0: nothing is broken; 1: a check, a floor or a limit is broken, or a ratio fell behind the baseline; 2: it could not be done;
130: interrupted, and what was measured is written down.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from evenkeel.kernel.errors import ConfigurationError, UsageError

if TYPE_CHECKING:
    from rich.console import Console

    from evenkeel.prove.evidence.record import Evidence
    from evenkeel.prove.runner import Plan, Show

INTERRUPTED = 130
BROKEN = 1


def run_prove(arguments: argparse.Namespace) -> int:
    """The command."""
    from rich.console import Console  # noqa: PLC0415

    console = Console(stderr=False)
    try:
        from evenkeel.prove import runner  # noqa: PLC0415

        # all of it now: hours later another version may lie on the disk
        from evenkeel.prove.evidence import baseline, page, record, terminal  # noqa: F401, PLC0415
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"`evenkeel prove` needs the package {error.name}.", hint="Install it with: pip install 'evenkeel[prove]'"
        ) from error
    if arguments.source:
        evidence = record.read(arguments.source)
    else:
        plan = _plan(arguments, runner.check_names(arguments.scenarios))
        evidence = _run(plan, arguments, console)
    return _finish(evidence, arguments, console)


def _run(plan: Plan, arguments: argparse.Namespace, console: Console) -> Evidence:
    with _folder(arguments.keep) as folder, _progress(console, quiet=arguments.quiet) as show:
        return asyncio.run(_ended_by_sigterm_too(plan, show, folder))


async def _ended_by_sigterm_too(plan: Plan, show: Show, folder: Path) -> Evidence:
    """SIGTERM is what Ctrl-C is: the servers are stopped, and what was measured is kept."""
    from evenkeel.prove.runner import prove  # noqa: PLC0415

    if task := asyncio.current_task():
        with suppress(NotImplementedError):  # Windows
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return await prove(plan, show, folder)


def _plan(arguments: argparse.Namespace, scenarios: list[str]) -> Plan:
    from evenkeel.hotpath.switches import SWITCHES  # noqa: PLC0415
    from evenkeel.prove.load.servers import environment  # noqa: PLC0415
    from evenkeel.prove.runner import Plan  # noqa: PLC0415
    from evenkeel.prove.scenarios import scenario  # noqa: PLC0415

    if arguments.switch and arguments.switch not in {each.name for each in SWITCHES}:
        known = ", ".join(each.name for each in SWITCHES)
        raise UsageError(f"There is no switch {arguments.switch}.", hint=f"Switches: {known}.")
    changes = dict(arguments.set)
    known_sizes = {name for key in scenarios for name in scenario(key, arguments.database).sizes["standard"]}
    if unknown := sorted(changes.keys() - known_sizes):
        raise UsageError(f"No scenario here has {unknown[0]}.", hint=f"Known: {', '.join(sorted(known_sizes))}.")
    if arguments.hours:
        changes["seconds"] = arguments.hours * 3600
        scenarios = ["S4"]
    return Plan(
        scenarios=scenarios, database=arguments.database, dsn=arguments.dsn, size=arguments.size, seed=arguments.seed,
        pairs=arguments.pairs, equals=arguments.aa, changes=changes,
        settings=tuple(environment(dict(map(_setting, arguments.setting))).items()),
        switch=arguments.switch, against=arguments.against, against_key=arguments.against_key,
        model_port=arguments.model_port, alone=arguments.alone,
    )  # fmt: skip


def _setting(text: str) -> tuple[str, str]:
    key, found, value = text.partition("=")
    if not found or "." not in key:
        raise UsageError(f"{text!r} is not a setting.", hint="Write it as SECTION.KEY=VALUE.")
    return key, value


def _finish(evidence: Evidence, arguments: argparse.Namespace, console: Console) -> int:
    from evenkeel.prove.evidence import baseline, page, record, terminal  # noqa: PLC0415

    for path, content in ((arguments.json, record.written), (arguments.html, page.page)):
        if path:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content(evidence))
            console.print(f"wrote {path}")
    terminal.shown(evidence, console)
    if arguments.save_baseline:
        baseline.save(arguments.save_baseline, evidence)
    behind = baseline.fallen_back(baseline.load(arguments.check_baseline), evidence) if arguments.check_baseline else []
    for each in behind:
        console.print(f"[red]behind the baseline:[/red] {each}")
    if evidence.interrupted:
        return INTERRUPTED
    return BROKEN if behind or broken(evidence) else 0


def broken(evidence: Evidence) -> bool:
    """A check, a floor or a limit is clearly not kept, or something grows."""
    from evenkeel.prove.evidence.baseline import promise_kept  # noqa: PLC0415

    ours = next(iter(evidence.arms))
    return any(
        not all(map(promise_kept, judged.findings))
        or any(ruling.arm == ours and ruling.runs and not ruling.holds for ruling in judged.rulings)
        or any(growth.arm == ours and growth.verdict == "grows" for growth in judged.growths)
        or not judged.runs
        for judged in evidence.scenarios
    )


@contextmanager
def _folder(keep: Path | None) -> Iterator[Path]:
    if keep:
        keep.mkdir(parents=True, exist_ok=True)
        yield keep
        return
    with tempfile.TemporaryDirectory(prefix="evenkeel-prove-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


@contextmanager
def _progress(console: Console, *, quiet: bool) -> Iterator[Show]:
    from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn  # noqa: PLC0415

    from evenkeel.prove.runner import Show  # noqa: PLC0415

    if quiet:
        yield Show()
        return
    columns = (TextColumn("{task.fields[key]}"), BarColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    bars: dict[str, TaskID] = {}
    # Drawn from the loop itself: a thread that draws would compete with the clients for the interpreter.
    with Progress(*columns, console=console, auto_refresh=False, transient=True) as progress:

        def step(key: str, number: int, runs: int, what: str, part: float) -> None:
            if key not in bars:
                bars[key] = progress.add_task("", total=1.0, key=key)
            text = f"run {number + 1} of {runs}, {what}"
            progress.update(bars[key], completed=(number + part) / runs, description=text, refresh=console.is_terminal)

        yield Show(step, console.print)
