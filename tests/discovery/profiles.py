"""Shared by the tests of discovery: how a tree is given, how a profile is looked at."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from evenkeel.audit.model.profile import Profile, Technology, Trigger

Project = Callable[[Mapping[str, str | bytes]], Path]

NOTIFY = """\
CREATE OR REPLACE FUNCTION notify_job_events() RETURNS trigger AS $$
BEGIN
  -- NOTIFY nobody
  PERFORM pg_notify('job_events', NEW.id::text);
  RETURN NEW;
END;
$$ LANGUAGE plpgsql;
CREATE TRIGGER jobs_notify AFTER INSERT OR UPDATE OF status, "progress" ON public.jobs
FOR EACH ROW EXECUTE FUNCTION public.notify_job_events();
"""
JOBS = ("jobs", "INSERT OR UPDATE", "notify_job_events", "job_events")


def summary(triggers: tuple[Trigger, ...]) -> list[tuple[str, str, str, str]]:
    """Table, event, function and channel of each trigger."""
    return [(each.table, each.event, each.function, each.channel) for each in triggers]


def found(profile: Profile, name: str) -> Technology:
    """The technology of that name, which must be there."""
    technology = profile.technology(name)
    assert technology is not None, f"{name} is not among {[each.name for each in profile.technologies]}"
    return technology


def places(technology: Technology) -> list[tuple[str, int]]:
    """File and line of each source."""
    return [(each.file, each.line) for each in technology.sources]
