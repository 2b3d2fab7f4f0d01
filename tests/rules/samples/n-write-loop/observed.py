# file: app/jobs.py
from sqlalchemy import update
from sqlalchemy.orm import Session

from app.models import Job, Part


def tell(session: Session, job_id: int, parts: list[Part]) -> None:
    """Each commit is an event that somebody waits for."""
    for number, _ in enumerate(parts):
        session.execute(update(Job).where(Job.id == job_id).values(progress=number))
        session.commit()


def close(session: Session, parts: list[Part]) -> None:
    for part in parts:
        session.execute(update(Part).where(Part.id == part.id).values(done=True))  # flagged


# file: app/models.py
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    pass


class Job(Base):
    __tablename__ = "jobs"
    id: Mapped[int] = mapped_column(primary_key=True)
    progress: Mapped[int]


class Part(Base):
    __tablename__ = "parts"
    id: Mapped[int] = mapped_column(primary_key=True)
    done: Mapped[bool]


# file: alembic/versions/0001_notify.py
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.execute(
        "CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN PERFORM pg_notify('jobs', NEW.id::text); RETURN NEW; END $$"
    )
    op.execute("CREATE TRIGGER jobs_tell AFTER UPDATE ON jobs FOR EACH ROW EXECUTE FUNCTION tell()")
