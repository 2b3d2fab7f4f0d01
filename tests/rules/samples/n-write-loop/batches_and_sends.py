import smtplib
from collections.abc import Iterator

from django.db import models
from django.db.models import QuerySet


class Notice(models.Model):
    sent = models.BooleanField(default=False)
    to = models.TextField()


def in_parts(rows: QuerySet[Notice]) -> Iterator[QuerySet[Notice]]:
    yield rows[:100]


def clear() -> None:
    for part in in_parts(Notice.objects.filter(sent=True)):
        part.delete()


def clear_one_by_one() -> None:
    for notice in Notice.objects.filter(sent=True):
        notice.delete()  # flagged


def send_all(server: smtplib.SMTP) -> None:
    for notice in Notice.objects.filter(sent=False):
        notice.sent = True
        notice.save()
        server.sendmail("us@example.org", notice.to, "hello")


def mark_all() -> None:
    for notice in Notice.objects.filter(sent=False):
        notice.sent = True
        notice.save()  # flagged
