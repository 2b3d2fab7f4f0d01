from collections.abc import Iterator

from django.db import models
from django.db.models import QuerySet


class Notice(models.Model):
    to = models.TextField()


def in_parts(rows: QuerySet[Notice]) -> Iterator[QuerySet[Notice]]:
    yield rows[:100]


def names() -> list[str]:
    found = []
    for part in in_parts(Notice.objects.all()):
        for notice in part:
            found.append(notice.to)
    return found


def twins(rows: list[Notice]) -> list[Notice]:
    found = []
    for row in rows:
        found.append(Notice.objects.filter(to=row.to).first())  # flagged
    return found
