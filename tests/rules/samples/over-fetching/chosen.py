# file: app/pings.py
from django.db import models


class Ping(models.Model):
    created = models.DateTimeField()
    kind = models.TextField()
    body_raw = models.BinaryField()
    source = models.TextField()
    agent = models.TextField()
    exit_status = models.IntegerField()


def started() -> list:
    return [ping.created for ping in Ping.objects.filter(kind="start").only("created")]


def started_whole() -> list:
    return [ping.created for ping in Ping.objects.filter(kind="start")]  # flagged


class Count(models.Model):
    content_type = models.TextField()
    count = models.IntegerField()


def total(kind: str) -> list:
    return [each.count for each in Count.objects.filter(content_type=kind)]


# file: app/jobs.py
from sqlalchemy import LargeBinary, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, load_only, mapped_column


class Base(DeclarativeBase):
    pass


class Job(Base):
    __tablename__ = "jobs"
    id: Mapped[int] = mapped_column(primary_key=True)
    state: Mapped[str]
    kind: Mapped[str]
    owner: Mapped[str]
    message: Mapped[bytes] = mapped_column(LargeBinary)


def owners(session: Session) -> list[str]:
    result = session.execute(select(Job).where(Job.state == "new").options(load_only(Job.owner)))
    jobs = result.scalars().all()
    return [job.owner for job in jobs]


def owners_whole(session: Session) -> list[str]:
    result = session.execute(select(Job).where(Job.state == "new"))
    jobs = result.scalars().all()
    return [job.owner for job in jobs]  # flagged
