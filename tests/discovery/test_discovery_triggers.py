"""Migrations, and the triggers that stand after all of them have run."""

from __future__ import annotations

import textwrap

import pytest

from evenkeel.audit.discovery import discover
from evenkeel.audit.model.profile import Source, Trigger
from tests.discovery.profiles import JOBS, NOTIFY, Project, summary


def alembic(revision: str, down: str | None, body: str, downgrade: str = "pass") -> str:
    return (
        f'"""Create trigger x after insert on docs for each row."""\nfrom alembic import op\n'
        f"revision = {revision!r}\ndown_revision: str | None = {down!r}\n\n\n"
        f"def upgrade() -> None:\n{textwrap.indent(body, '    ')}\n\n\n"
        f"def downgrade() -> None:\n{textwrap.indent(downgrade, '    ')}\n"
    )


def test_a_trigger_in_an_alembic_migration_with_its_line(project: Project) -> None:
    text = alembic("a1", None, f'op.execute("""\n{NOTIFY}""")', 'op.execute("DROP TRIGGER jobs_notify ON jobs")')
    profile = discover(
        project({"alembic/versions/a1_jobs.py": text, "alembic/env.py": "", "alembic.ini": "[alembic]\n"})
    )
    line = (
        text.split("\n").index(
            '    CREATE TRIGGER jobs_notify AFTER INSERT OR UPDATE OF status, "progress" ON public.jobs'
        )
        + 1
    )
    assert profile.triggers == (
        Trigger(
            *JOBS[:3], Source("alembic/versions/a1_jobs.py", line), "job_events", notifies=True, name="jobs_notify"
        ),
    )
    assert profile.migrations == ("alembic/versions",)


@pytest.mark.parametrize(
    "files",
    [
        {"migrations/0001_jobs.sql": NOTIFY},
        {
            "db/migrations/000001_jobs.up.sql": NOTIFY,
            "db/migrations/000001_jobs.down.sql": "DROP TRIGGER jobs_notify ON jobs;",
        },
        {"prisma/migrations/20260101_jobs/migration.sql": NOTIFY},
        {"migrations/2026-01-01_jobs/up.sql": NOTIFY, "migrations/2026-01-01_jobs/down.sql": "DROP TABLE jobs;"},
        {"db/migrate/V1__jobs.sql": NOTIFY, "db/migrate/U1__jobs.sql": "DROP TABLE jobs;"},
        {"migrations/001_jobs.sql": f"-- +goose Up\n{NOTIFY}\n-- +goose Down\nDROP TRIGGER jobs_notify ON jobs;\n"},
        {"migrations/001_jobs.sql": f"-- migrate:up\n{NOTIFY}\n-- migrate:down\nDROP TABLE jobs;\n"},
        {"schema.sql": NOTIFY.lower()},
    ],
)
def test_plain_sql_migrations_and_their_way_back(project: Project, files: dict[str, str]) -> None:
    assert summary(discover(project(files)).triggers) == [JOBS]


def test_django_run_sql_run_python_and_yoyo_steps_do_not_count_their_reverse(project: Project) -> None:
    django = f'''
from django.db import migrations
FORWARD = """{NOTIFY}"""
REVERSE = "DROP TRIGGER jobs_notify ON jobs"
def create(apps, schema_editor):
    schema_editor.execute("CREATE TRIGGER t AFTER DELETE ON runs FOR EACH ROW EXECUTE PROCEDURE gone()")
def remove(apps, schema_editor):
    schema_editor.execute("DROP TRIGGER t ON runs")
class Migration(migrations.Migration):
    operations = [migrations.RunSQL(FORWARD, REVERSE), migrations.RunPython(create, remove)]
'''
    yoyo = """\
from yoyo import step
steps = [
    step(
        "CREATE TRIGGER y BEFORE INSERT ON tolls FOR EACH ROW EXECUTE FUNCTION f()",
        "DROP TRIGGER y ON tolls",
    )
]
"""
    root = project(
        {
            "jobs/migrations/0001_initial.py": django,
            "jobs/migrations/__init__.py": "",
            "migrations/0001.py": yoyo,
        }
    )
    profile = discover(root)
    assert summary(profile.triggers) == [JOBS, ("runs", "DELETE", "gone", ""), ("tolls", "INSERT", "f", "")]
    assert profile.migrations == ("migrations", "jobs/migrations")


def test_a_later_revision_drops_whatever_the_file_names_say(project: Project) -> None:
    create = 'op.execute("CREATE TRIGGER t AFTER INSERT ON {} FOR EACH ROW EXECUTE FUNCTION f()")'
    first = "\n".join(create.format(each) for each in ("jobs", "runs", "old"))
    root = project(
        {
            "alembic/env.py": "",
            "alembic/versions/a_last.py": alembic("r3", "r2", 'op.execute("DROP TRIGGER IF EXISTS t ON jobs")'),
            "alembic/versions/b_middle.py": alembic("r2", "r1", 'op.drop_table("runs")\nop.rename_table("old", "new")'),
            "alembic/versions/c_first.py": alembic("r1", None, first),
        }
    )
    assert [each.table for each in discover(root).triggers] == ["new"]


def test_a_migration_that_replaces_a_trigger_leaves_the_new_one(project: Project) -> None:
    constants = """

CREATE = (
    "CREATE TRIGGER jobs_notify "
    "AFTER UPDATE ON jobs "
    "FOR EACH ROW EXECUTE PROCEDURE second()"
)
DROP = "DROP TRIGGER jobs_notify ON jobs"
OLD = "CREATE TRIGGER jobs_notify AFTER DELETE ON jobs FOR EACH ROW EXECUTE PROCEDURE first()"


def upgrade"""
    text = alembic("r2", "r1", "op.execute(DROP)\nop.execute(CREATE)\n", "op.execute(OLD)")
    root = project(
        {
            "alembic/env.py": "",
            "alembic/versions/0001.py": alembic("r1", None, f'op.execute("""{NOTIFY}""")'),
            "alembic/versions/0002.py": text.replace("\n\n\ndef upgrade", constants, 1),
        }
    )
    assert summary(discover(root).triggers) == [("jobs", "UPDATE", "second", "")]


def test_f_strings_are_filled_from_constants_and_loops(project: Project) -> None:
    body = """\
for table in TABLES:
    op.execute(f"CREATE TRIGGER {table}_touch BEFORE UPDATE ON {table} FOR EACH ROW EXECUTE FUNCTION {FUNC}()")
op.execute(f"CREATE TRIGGER x AFTER INSERT ON {unknown} FOR EACH ROW EXECUTE FUNCTION f()")
"""
    constants = '\nTABLES = ["jobs", "runs"]\nFUNC = "touch"\n\n\ndef up'
    text = alembic("r1", None, body).replace("\n\n\ndef up", constants, 1)
    root = project({"migrations/env.py": "", "migrations/versions/1.py": text})
    assert [(each.name, each.table, each.function) for each in discover(root).triggers] == [
        ("jobs_touch", "jobs", "touch"),
        ("runs_touch", "runs", "touch"),
        ("x", "{unknown}", "f"),
    ]


def test_alembic_utils_entities(project: Project) -> None:
    body = """\
public_notify = PGFunction(schema="public", signature="notify()",
    definition="returns trigger as $$\\nBEGIN\\n PERFORM pg_notify('runs', ''); RETURN NEW;\\nEND $$ language sql")
op.create_entity(public_notify)
public_runs = PGTrigger(schema="public", signature="runs_notify", on_entity="public.runs",
    definition="AFTER INSERT ON public.runs\\n FOR EACH ROW EXECUTE FUNCTION public.notify()")
op.create_entity(public_runs)
public_old = PGTrigger(schema="public", signature="old", on_entity="public.runs",
    definition="AFTER DELETE ON public.runs FOR EACH ROW EXECUTE FUNCTION public.notify()")
op.drop_entity(public_old)
"""
    earlier = 'op.execute("CREATE TRIGGER old AFTER DELETE ON runs FOR EACH ROW EXECUTE FUNCTION notify()")'
    root = project(
        {
            "migrations/env.py": "",
            "migrations/versions/1.py": alembic("r1", None, earlier),
            "migrations/versions/2.py": alembic("r2", "r1", body, body.replace("create_entity", "drop_entity")),
        }
    )
    assert summary(discover(root).triggers) == [("runs", "INSERT", "notify", "runs")]


def test_django_pgtrigger_migrations(project: Project) -> None:
    text = """
class Migration(migrations.Migration):
    operations = [pgtrigger.migrations.AddTrigger(model_name="job", trigger=pgtrigger.compiler.Trigger(
        name="ping", sql=pgtrigger.compiler.UpsertTriggerSql(
            func="PERFORM pg_notify('jobs', NEW.id::text); RETURN NEW;", hash="x", operation="UPDATE OR INSERT",
            pgid="pgtrigger_ping_1", table="app_job", when="AFTER")))]
"""
    root = project({"app/migrations/0002_ping.py": text})
    assert summary(discover(root).triggers) == [("app_job", "UPDATE OR INSERT", "pgtrigger_ping_1", "jobs")]


@pytest.mark.parametrize(
    ("configuration", "folder"),
    [
        ({"alembic.ini": "[alembic]\nscript_location = %(here)s/storage/schema\n"}, "storage/schema/versions"),
        ({"backend/alembic.ini": "[alembic]\nscript_location = storage:schema\n"}, "backend/storage/schema/versions"),
        ({"alembic.ini": "[alembic]\nscript_location = x\nversion_locations = a/one b/two\n"}, "a/one"),
        ({"pyproject.toml": '[tool.alembic]\nscript_location = "storage/schema"\n'}, "storage/schema/versions"),
        ({"pyproject.toml": '[tool.aerich]\nlocation = "./evolution"\n'}, "evolution"),
        ({"yoyo.ini": "[DEFAULT]\nx = 1\n[yoyo]\nsources = steps\n"}, "steps"),
        ({"shop/settings.py": 'MIGRATION_MODULES = {\n  "jobs": "shop.evolution",\n}\n'}, "shop/evolution"),
    ],
)
def test_migrations_where_the_configuration_says(project: Project, configuration: dict[str, str], folder: str) -> None:
    if folder == "a/one":
        folder = "a/one/versions"
    text = alembic("r1", None, f'op.execute("""{NOTIFY}""")')
    profile = discover(project({**configuration, f"{folder}/first.py": text}))
    assert folder in profile.migrations
    assert summary(profile.triggers) == [JOBS]


def test_a_circle_of_revisions_ends(project: Project) -> None:
    root = project(
        {
            "alembic/env.py": "",
            "alembic/versions/1.py": alembic("r1", "r2", f'op.execute("""{NOTIFY}""")'),
            "alembic/versions/2.py": alembic("r2", "r1", "pass"),
        }
    )
    assert summary(discover(root).triggers) == [JOBS]


def test_triggers_declared_beside_the_models(project: Project) -> None:
    trigger = "CREATE TRIGGER t AFTER INSERT ON {}\\n FOR EACH ROW EXECUTE FUNCTION f()"
    root = project(
        {
            "app/models.py": f'from sqlalchemy import DDL\nddl = DDL("{trigger.format("jobs")}")\n',
            "tests/test_models.py": f'x = "{trigger.format("fakes")}"\n',
        }
    )
    assert [(each.table, each.source) for each in discover(root).triggers] == [("jobs", Source("app/models.py", 2))]
