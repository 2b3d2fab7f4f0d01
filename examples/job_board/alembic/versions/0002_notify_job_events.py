"""Tell the channel job_events about every change of a job."""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.execute(
        """
        CREATE FUNCTION notify_job_events() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            PERFORM pg_notify('job_events', json_build_object(
                'id', NEW.id, 'status', NEW.status, 'processed', NEW.processed, 'total', NEW.total
            )::text);
            RETURN NEW;
        END
        $$
        """
    )
    op.execute(
        """
        CREATE TRIGGER jobs_notify AFTER UPDATE ON jobs
        FOR EACH ROW EXECUTE FUNCTION notify_job_events()
        """
    )


def downgrade() -> None:
    op.execute("DROP TRIGGER jobs_notify ON jobs")
    op.execute("DROP FUNCTION notify_job_events()")
