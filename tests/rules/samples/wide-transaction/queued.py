"""A task that is queued inside a transaction may run before the commit; where nothing was written there is nothing to miss."""

from celery import Celery
from django.db import models, transaction
from sqlalchemy import select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, sessionmaker

app = Celery()
make = sessionmaker()


class Mail(models.Model):
    text = models.TextField()


class Base(DeclarativeBase): ...


class Letter(Base):
    __tablename__ = "letters"
    id: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str]


@app.task
def send(mail_id: int) -> None: ...


def write(text: str) -> None:
    with transaction.atomic():
        mail = Mail.objects.create(text=text)
        send.delay(mail.pk)  # flagged


def write_first(text: str) -> None:
    with transaction.atomic():
        mail = Mail.objects.create(text=text)
    send.delay(mail.pk)


def write_letter(text: str) -> None:
    with make() as session:
        letter = Letter(text=text)
        session.add(letter)
        session.flush()
        send.delay(letter.id)  # flagged
        session.commit()


def again(key: int) -> None:
    with make() as session:
        letter = session.scalars(select(Letter).where(Letter.id == key)).one()
        send.delay(letter.id)


class Queue:
    def put(self, key: int) -> None:
        self.hand_over(key)

    def hand_over(self, key: int) -> None:
        self.publish(key)

    def publish(self, key: int) -> None:
        send.delay(key)


def write_deep(text: str) -> None:
    """What is queued so deep inside may be about something else: needs context."""
    with transaction.atomic():
        mail = Mail.objects.create(text=text)
        Queue().put(mail.pk)


@app.task
def count(mail_id: int) -> None: ...


def write_and_count(text: str) -> None:
    """Several tasks in one transaction are one fault: the first is reported, and how many follow."""
    with transaction.atomic():
        mail = Mail.objects.create(text=text)
        send.delay(mail.pk)  # flagged
        if text:
            count.delay(mail.pk)
    with transaction.atomic():
        mail.save()
        count.delay(mail.pk)  # flagged


def write_for_later(text: str) -> None:
    """What runs in some seconds finds what is committed by then."""
    with transaction.atomic():
        mail = Mail.objects.create(text=text)
        send.apply_async(countdown=5, args=[mail.pk])
    with transaction.atomic():
        mail.save()
        send.apply_async(countdown=0, args=[mail.pk])  # flagged
