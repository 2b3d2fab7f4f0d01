from django.db import models


class Model(models.Model):
    limit = models.IntegerField()


class Refused(Exception): ...


def ask(name: str, limit: int) -> str: ...


def first_answer(names: list[str]) -> str:
    """The next one is asked only when the last refused."""
    for name in names:
        limit = Model.objects.get(name=name).limit
        try:
            return ask(name, limit)
        except Refused:
            continue
    raise Refused


def first_that_fits(names: list[str]) -> str:
    for name in names:
        limit = Model.objects.get(name=name).limit  # flagged
        if limit > 10:
            return name
    raise Refused


def all_answers(names: list[str]) -> list[str]:
    found = []
    for name in names:
        limit = Model.objects.get(name=name).limit  # flagged
        try:
            found.append(ask(name, limit))
        except Refused:
            continue
    return found
