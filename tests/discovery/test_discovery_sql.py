"""Triggers, functions and channels in SQL text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evenkeel.audit.discovery import discover, sqltext
from tests.discovery.profiles import JOBS, NOTIFY, Project, summary


def test_sqlite_and_mysql_triggers_without_a_function(project: Project) -> None:
    sql = """
CREATE TRIGGER IF NOT EXISTS berth_log AFTER UPDATE ON berths BEGIN INSERT INTO log VALUES (1); END;
CREATE DEFINER=`root`@`%` TRIGGER `tolls_sum` BEFORE INSERT ON `tolls` FOR EACH ROW SET NEW.x = 1;
"""
    assert summary(discover(project({"migrations/0001.sql": sql})).triggers) == [
        ("berths", "UPDATE", "berth_log", ""),
        ("tolls", "INSERT", "tolls_sum", ""),
    ]


@pytest.mark.parametrize(
    ("body", "arguments", "channel", "notifies"),
    [
        ("PERFORM pg_notify('a', '');", "", "a", True),
        ("NOTIFY b;", "", "b", True),
        ("PERFORM pg_notify('c_' || NEW.id, '');", "", "c_*", True),
        ("PERFORM pg_notify(format('d:%s', NEW.id), '');", "", "d:*", True),
        ("PERFORM pg_notify(TG_ARGV[1], '');", "'x', 'e'", "e", True),
        ("channel := 'f'; PERFORM pg_notify(channel, '');", "", "f", True),
        ("PERFORM pg_notify(TG_TABLE_NAME, '');", "", "", True),
        ("EXECUTE 'NOTIFY g_' || NEW.id;", "", "g_*", True),
        ("PERFORM helper(NEW.id);", "", "far", True),
        ("-- PERFORM pg_notify('a', '');\nRETURN NEW;", "", "", False),
    ],
)
def test_channels(project: Project, body: str, arguments: str, channel: str, notifies: bool) -> None:
    sql = f"""
CREATE FUNCTION helper(id int) RETURNS void AS $body$ SELECT pg_notify('far', id::text) $body$ LANGUAGE sql;
CREATE FUNCTION told() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body} RETURN NEW; END $$;
CREATE CONSTRAINT TRIGGER t AFTER INSERT ON jobs FOR EACH ROW EXECUTE FUNCTION told({arguments});
"""
    (trigger,) = discover(project({"migrations/0001_x.sql": sql})).triggers
    assert (trigger.channel, trigger.notifies) == (channel, notifies)


def test_dropping_a_function_with_cascade_takes_its_triggers(project: Project) -> None:
    root = project({"migrations/001.sql": NOTIFY, "migrations/002.sql": "DROP FUNCTION notify_job_events() CASCADE;"})
    assert discover(root).triggers == ()


def test_renamed_triggers_functions_and_tables_carry_on(project: Project) -> None:
    renames = """
ALTER TABLE public.jobs RENAME TO runs;
ALTER TRIGGER jobs_notify ON runs RENAME TO runs_notify;
ALTER FUNCTION notify_job_events() RENAME TO notify_run_events;
"""
    (trigger,) = discover(project({"migrations/001.sql": NOTIFY, "migrations/002.sql": renames})).triggers
    assert (trigger.table, trigger.name, trigger.function) == ("runs", "runs_notify", "notify_run_events")
    assert trigger.channel == "job_events"


def test_what_a_functions_body_does_to_tables_is_not_done_by_the_migration(project: Project) -> None:
    sweep = "CREATE FUNCTION sweep() RETURNS void AS $$ BEGIN DROP TABLE jobs; END $$ LANGUAGE plpgsql;"
    root = project({"migrations/001.sql": NOTIFY, "migrations/002.sql": sweep})
    assert summary(discover(root).triggers) == [JOBS]


WORDS = "CREATE TRIGGER FUNCTION AFTER INSERT OR ON jobs EXECUTE f() $$ ' \" -- /* */ ; ( ) { } DROP BEGIN END AS . "


@given(st.lists(st.sampled_from([*WORDS.split(), "pg_notify(", "\n", "UPDATE OF"])).map(" ".join))
def test_any_text_is_read_without_an_error(text: str) -> None:
    positions = [each.position for each in sqltext.operations(text)]
    assert positions == sorted(positions)
    assert all(0 <= position < len(text) for position in positions)


TABLES = {"jobs": "jobs", '"Jobs"': "Jobs", "public.jobs": "jobs", 'app."odd.name"': "odd.name", "`a`.`b`": "b"}


@given(st.sampled_from(list(TABLES)), st.sets(st.sampled_from(["INSERT", "update", "Delete"]), min_size=1))
def test_a_well_formed_trigger_is_always_found(table: str, events: set[str]) -> None:
    written, expected = sorted(events), TABLES[table]
    sql = f"select 1;\ncreate trigger t after {' or '.join(written)} on {table} for each row execute function f('a')"
    (operation,) = sqltext.operations(sql)
    assert operation.event == " OR ".join(each.upper() for each in written)
    assert operation.table == expected
    assert operation.arguments == ("a",)
