"""The terminal's view: a short summary to read, and the progress of a run. Colour and width are the console's part."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.padding import Padding
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from evenkeel.audit.model.finding import Finding, Severity, Step
from evenkeel.audit.model.names import local_name
from evenkeel.audit.model.result import AuditResult, CategoryResult, worst_varied
from evenkeel.audit.report.summary import band_words, tally, view_sentences
from evenkeel.audit.report.text import plural, printable
from evenkeel.audit.scoring import density
from evenkeel.audit.wording import ENGLISH, Wording

WORST = 10  # findings that are shown in full
GAPS = 8  # gaps that are listed
NOTICES = 8  # likewise
_STYLES: dict[Severity, str] = {"CRITICAL": "bold red", "HIGH": "red", "MEDIUM": "yellow", "LOW": "cyan"}


def render(result: AuditResult, *, name: str, width: int = 100, say: Wording = ENGLISH) -> str:
    """The summary as plain text, without colour. `name` is what the audited tree is called."""
    out = io.StringIO()
    console = Console(file=out, width=width, color_system=None, force_terminal=False, legacy_windows=False)
    show(result, console, name=name, say=say)
    return _trimmed(out.getvalue())


def painted(result: AuditResult, *, name: str, say: Wording = ENGLISH) -> str:
    """The summary as stdout takes it: in colour on a terminal (not with NO_COLOR), as wide as that is."""
    console = Console(highlight=False)
    with console.capture() as captured:
        show(result, console, name=name, say=say)
    return _trimmed(captured.get())


def show(result: AuditResult, console: Console, *, name: str, say: Wording = ENGLISH) -> None:
    """Print the summary. Text from the audited code is never read as markup."""
    console.print(Text(printable(say(f"Audit of {name}, {result.date}")), style="bold"), soft_wrap=False)
    console.print(_text(result.summary))
    for part in (_scores, _worst, _apart, _notices, _gaps, _done):
        part(result, console, say)


@contextmanager
def progress_bar(*, enabled: bool) -> Iterator[Callable[[str, int, int], None]]:
    """A function (what, done, total) that draws on stderr while the block runs, and nothing once it is left."""
    console = Console(stderr=True)
    if not (enabled and console.is_terminal):
        yield lambda *_: None
        return
    columns = (TextColumn("{task.description:24}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as bars:
        tasks: dict[str, TaskID] = {}

        def advance(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bars.add_task(what.capitalize(), total=total)
            bars.update(tasks[what], completed=done, total=total)

        yield advance


def _trimmed(text: str) -> str:
    return "".join(f"{line.rstrip()}\n" for line in text.splitlines())


def _scores(result: AuditResult, console: Console, say: Wording) -> None:
    table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2, 0, 0))
    for each in result.categories:
        table.add_row(_text(each.category), _score(each.score), _text(_category_note(each, say)))
    table.add_row(Text(say("Overall"), style="bold"), _score(result.overall_score), _text(_overall_note(result, say)))
    console.print()
    console.print(table)


def _worst(result: AuditResult, console: Console, say: Wording) -> None:
    total = len(result.findings)
    if not total:
        return
    shown = worst_varied(result.findings, WORST)
    more = f"{len(shown)} of the worst of {total:,}" if total > len(shown) else "worst first"
    _heading(say(f"Findings, {more}"), console)
    for each in shown:
        _finding(each, console, say)
    if total > len(shown):
        console.print(_text(say("All of them: --output report.md, or --format json.")))


def _finding(finding: Finding, console: Console, say: Wording) -> None:
    marks = [say("hot path")] if finding.hot_path and not finding.entry_path else []
    marks += [say("likely")] if finding.confidence == "likely" else []
    line = Text.assemble(
        (f"{say(finding.severity):{8 if say.language == 'en' else 4}} ", _STYLES[finding.severity]),
        (printable(f"{finding.file}:{finding.line}"), "bold"),
        "  ",
        printable(f"{finding.rule}{''.join(f' [{mark}]' for mark in marks)}"),
    )
    console.print(line)
    details = [finding.issue, f"-> {finding.recommendation} ({finding.effort})"]
    details += _steps(finding.path, say) if len(finding.path) > 1 else []
    details += [_entry(finding, say)] if finding.entry_path else []
    for each in details:
        console.print(Padding(_text(each), (0, 0, 0, 9)))


def _apart(result: AuditResult, console: Console, say: Wording) -> None:
    advisories = sum(len(each.advisories) for each in result.categories)
    unsettled = sum(len(each.unsettled) for each in result.categories)
    parts = [plural(advisories, "advisory finding")] if advisories else []
    parts += [f"{plural(unsettled, 'finding')} in need of context"] if unsettled else []
    parts += [plural(len(result.suppressed), "suppressed finding")] if result.suppressed else []
    if parts:
        console.print()
        *most, last = parts
        listed = " and ".join(filter(None, (", ".join(most), last)))
        text = f"Apart, at no cost: {listed}; the full report lists them."
        if say.language != "en":
            text = say(f"Apart, at no cost: {', '.join(parts)}; the full report lists them.")
        console.print(_text(text))


def _notices(result: AuditResult, console: Console, say: Wording) -> None:
    sentences = view_sentences(result, say)
    if sentences:
        console.print()
    for each in sentences:
        console.print(_text(each))
    if not result.notices:
        return
    _heading(say("Notices"), console)
    for notice in result.notices[:NOTICES]:
        console.print(Padding(_text(f"{notice.file}:{notice.line}: {notice.what}"), (0, 0, 0, 2)))
    if len(result.notices) > NOTICES:
        console.print(_text(say(f"  and {len(result.notices) - NOTICES} more; the full report lists them.")))


def _gaps(result: AuditResult, console: Console, say: Wording) -> None:
    if not result.gaps:
        return
    _heading(say("Not analysed"), console)
    for each in result.gaps[:GAPS]:
        times = say(f" ({each.count:,} times)") if each.count > 1 else ""
        console.print(Padding(_text(f"{each.what}: {each.why}{times}"), (0, 0, 0, 2)))
    if len(result.gaps) > GAPS:
        console.print(_text(say(f"  and {len(result.gaps) - GAPS} more; the full report lists them.")))


def _done(result: AuditResult, console: Console, say: Wording) -> None:
    _heading(say("Definition of done"), console)
    table = Table.grid(padding=(0, 1, 0, 0))
    for each in result.definition_of_done:
        mark = Text("[x]", style="green") if each.done else Text("[ ]", style="yellow")
        table.add_row(mark, _text(f"{each.item}: {each.note}" if each.note else each.item))
    console.print(table)


def _heading(title: str, console: Console) -> None:
    console.print()
    console.print(Text(title, style="bold underline"))


def _category_note(category: CategoryResult, say: Wording) -> str:
    if category.score is None:
        return say(f"failed: {category.note}")
    held_back = f"{len(category.held_back)} not reported" if category.held_back else ""
    return say.semicolon.join(say(each) for each in (tally(category.counts), held_back) if each) or say("no findings")


def _overall_note(result: AuditResult, say: Wording) -> str:
    if result.overall_score is None:
        return say("no category ran")
    total = result.scored
    per = f"{density(total, result.lines)} per 1,000 lines"
    return say(f"{band_words(result.overall_score, total)}; {plural(total, 'finding')}, {per}")


def _score(score: float | None) -> Text:
    return Text("n/a" if score is None else f"{score:.1f}", justify="right")


def _steps(path: Sequence[Step], say: Wording) -> list[str]:
    return [f"{say('path:')} {each.file}:{each.line} {local_name(each.function, each.file)}" for each in path]


def _entry(finding: Finding, say: Wording) -> str:
    first, *further = finding.entry_path
    far = f" and {plural(len(further), 'call')} below it" if further else ""
    return f"{say('hot from')} {first.file}:{first.line} {local_name(first.function, first.file)}{say(far)}"


def _text(text: str) -> Text:
    return Text(printable(text))
