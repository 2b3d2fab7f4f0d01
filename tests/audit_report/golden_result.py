"""The result of the golden reports: a job board with findings of every kind, and names meant to break a report."""

from __future__ import annotations

from evenkeel.audit.aggregate import aggregate, merged_gaps
from evenkeel.audit.model.briefing import Briefing, practices
from evenkeel.audit.model.context import build_context, published
from evenkeel.audit.model.finding import (
    QUERY_EFFICIENCY,
    RUNTIME_PERFORMANCE,
    TRANSACTION_CORRECTNESS,
    Finding,
    Gap,
    Step,
    WorkerReport,
)
from evenkeel.audit.model.profile import Decision, Profile, Setting, Source, Technology, Trigger
from evenkeel.audit.model.result import AuditResult
from evenkeel.audit.report.completion import definition_of_done, tracker_item
from evenkeel.audit.report.summary import executive_summary
from evenkeel.audit.research import research, sources
from evenkeel.audit.scoring import overall

PROFILE = Profile(
    root="/tree/job-board",
    technologies=(
        Technology("python", "language", ">=3.11", (Source("pyproject.toml", 4),)),
        Technology("postgresql", "database", "16-alpine", (Source("docker-compose.yml", 7),)),
        Technology("sqlalchemy", "orm", "2.0.31", (Source("pyproject.toml", 9),)),
        Technology("abacus", "driver", "", (Source("pyproject.toml", 10),)),
        Technology("asyncio", "async", "", (Source("app/jobs.py", 3),)),
    ),
    settings=(Setting("expire_on_commit", "False", Source("app/db.py", 12)),),
    triggers=(Trigger("jobs", "UPDATE", "notify_job_events", Source("alembic/versions/3.py", 20), "job_events", True),),
    decisions=(Decision("12", "Keep blocking I/O in app/export.py", "Accepted", Source("docs/adr/adr-012.md", 1)),),
    migrations=("alembic/versions",),
)
HANDLER = Step("app/api.py", 12, "app.api.run")

REDUNDANT = Finding(
    rule="redundant-fetch",
    severity="HIGH",
    confidence="definite",
    file="app/jobs.py",
    line=434,
    end_line=434,
    function="app.jobs.process",
    issue="`Job` is loaded again by id; `run` already holds it",
    recommendation="Pass the `Job`, not its id.",
    effort="S",
    hot_path=True,
    path=(HANDLER, Step("app/jobs.py", 434, "app.jobs.process")),
    entry_path=(HANDLER,),
)
LAZY = Finding(
    rule="n-plus-one",
    severity="HIGH",
    confidence="likely",
    file="app/weird|`name.py",
    line=7,
    end_line=9,
    function="app.weird.list_all",
    issue="`SELECT a|b FROM <t>` per <script>alert(1)</script> | __all__ *rows*\n[a](javascript:x) \x1b[31mred ``",
    recommendation="Load with `selectinload`.",
    effort="M",
)
BULK = Finding(
    rule="missing-bulk",
    severity="MEDIUM",
    confidence="needs-context",
    file="app/seed.py",
    line=3,
    end_line=3,
    function="app.seed.fill",
    issue="`add` and `flush` per element",
    recommendation="Use `add_all`.",
    effort="S",
    settled_by="whether `rows` can be longer than ten",
)
BLOCKING = Finding(
    rule="blocking-io-in-async",
    severity="HIGH",
    confidence="definite",
    file="app/jobs.py",
    line=440,
    end_line=440,
    function="app.jobs.process",
    issue="`read_bytes` blocks the event loop",
    recommendation="Read the file with `asyncio.to_thread`.",
    effort="S",
    contexts=("safeguard: a time-out surrounds it",),
)
EXPORT = Finding(
    rule="blocking-io-in-async",
    severity="HIGH",
    confidence="definite",
    file="app/export.py",
    line=8,
    end_line=8,
    function="app.export.write",
    issue="`open` blocks the event loop",
    recommendation="Write in a thread.",
    effort="S",
)
CONCAT = Finding(
    rule="string-concat-loop",
    severity="LOW",
    confidence="definite",
    file="app/näme.py",
    line=5,
    end_line=5,
    function="app.näme.text",
    issue="`text` is built with `+=`",
    recommendation="Collect in a list and join.",
    effort="S",
)
GAPS = (
    Gap("unresolved", "dynamic calls", "calls on values whose type nothing in the code tells", 31),
    Gap("unparsed", "app/broken|\x1b[2J.py", "syntax error at line 3"),
)
REPORTS = (
    WorkerReport(QUERY_EFFICIENCY, "Query Efficiency", "completed", (LAZY, REDUNDANT, BULK), GAPS, 12_000, 84),
    WorkerReport(TRANSACTION_CORRECTNESS, "Transaction Correctness", "failed", note="timed out after 300 s"),
    WorkerReport(RUNTIME_PERFORMANCE, "Runtime Performance", "completed", (EXPORT, CONCAT, BLOCKING), (), 12_000, 84),
)


def golden_result(
    reports: tuple[WorkerReport, ...] = REPORTS, profile: Profile = PROFILE, briefing: Briefing | None = None
) -> AuditResult:
    """The result, put together as the pipeline does it."""
    briefing = briefing or research(profile)
    categories = aggregate(reports, profile)
    score = overall([each.score for each in categories if each.score is not None])
    consulted = sources(briefing.pages)
    task = tracker_item(created=False, note="not asked for")
    return AuditResult(
        date="2026-02-04",
        context=published(build_context(profile, practices(briefing))),
        categories=categories,
        overall_score=score,
        summary=executive_summary(categories, score),
        sources=consulted,
        gaps=merged_gaps(reports),
        definition_of_done=definition_of_done(profile, briefing, categories, consulted, task),
    )
