"""The triggers that discovery says are there are the ones that PostgreSQL has after the same migrations."""

from __future__ import annotations

import asyncio

import asyncpg

from evenkeel.audit.discovery import discover
from tests.discovery.profiles import Project

MIGRATIONS = {
    "001_tables.sql": """
CREATE TABLE jobs (id int, state text);
CREATE TABLE "Runs" (id int);
CREATE TABLE gates (id int);
CREATE SCHEMA lock; CREATE TABLE lock.berths (id int);
""",
    "002_notify.sql": """
CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN PERFORM pg_notify(TG_ARGV[0], NEW.id::text); RETURN NEW; END $$;
/* CREATE TRIGGER never AFTER INSERT ON jobs FOR EACH ROW EXECUTE FUNCTION tell('x'); */
CREATE TRIGGER jobs_tell AFTER INSERT OR UPDATE OF state, id ON public.jobs
  FOR EACH ROW WHEN (NEW.state <> 'quiet') EXECUTE FUNCTION tell('jobs');
CREATE TRIGGER "Runs_Tell" BEFORE DELETE ON "Runs" EXECUTE PROCEDURE tell('runs');
CREATE CONSTRAINT TRIGGER gates_tell AFTER INSERT ON gates DEFERRABLE INITIALLY DEFERRED
  FOR EACH ROW EXECUTE FUNCTION public.tell('gates');
CREATE TRIGGER berths_tell AFTER TRUNCATE ON lock.berths FOR EACH STATEMENT EXECUTE FUNCTION tell('berths');
""",
    "003_change.sql": """
DROP TRIGGER IF EXISTS jobs_tell ON jobs;
DROP TRIGGER IF EXISTS absent ON jobs;
CREATE OR REPLACE TRIGGER jobs_tell_v2 AFTER UPDATE OR DELETE ON jobs FOR EACH ROW EXECUTE FUNCTION tell('jobs');
ALTER TABLE gates RENAME TO sluices;
ALTER TRIGGER gates_tell ON sluices RENAME TO sluices_tell;
ALTER FUNCTION tell() RENAME TO announce;
CREATE FUNCTION sweep() RETURNS void LANGUAGE plpgsql AS $body$ BEGIN DROP TABLE jobs; END $body$;
""",
    "004_drop.sql": """
DROP TABLE "Runs";
CREATE FUNCTION old() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER jobs_old BEFORE INSERT ON jobs FOR EACH ROW EXECUTE FUNCTION old();
DROP FUNCTION old() CASCADE;
""",
}
EXISTING = """
SELECT c.relname::text, t.tgname::text, p.proname::text, (t.tgtype & 4) > 0, (t.tgtype & 16) > 0, (t.tgtype & 8) > 0,
       (t.tgtype & 32) > 0
FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_proc p ON p.oid = t.tgfoid WHERE NOT t.tgisinternal
"""
EVENTS = ("INSERT", "UPDATE", "DELETE", "TRUNCATE")


async def migrated(dsn: str) -> set[tuple[str, str, str, frozenset[str]]]:
    connection = await asyncpg.connect(dsn)
    try:
        for sql in MIGRATIONS.values():
            await connection.execute(sql)
        rows = await connection.fetch(EXISTING)
    finally:
        await connection.close()
    return {
        (row[0], row[1], row[2], frozenset(event for event, fires in zip(EVENTS, row[3:7], strict=True) if fires))
        for row in map(tuple, rows)
    }


def test_discovered_triggers_are_those_that_postgres_has(project: Project, postgres_dsn: str) -> None:
    profile = discover(project({f"migrations/{name}": sql for name, sql in MIGRATIONS.items()}))
    discovered = {
        (each.table, each.name, each.function, frozenset(each.event.split(" OR "))) for each in profile.triggers
    }
    assert discovered == asyncio.run(migrated(postgres_dsn))
    assert len(discovered) == 3
    assert {each.channel for each in profile.triggers} == {"jobs", "gates", "berths"}
