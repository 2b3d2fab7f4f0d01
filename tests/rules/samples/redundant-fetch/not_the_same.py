from django.db import models

from app.schemas import Variable as Given


class Permission(models.Model):
    codename = models.TextField()
    about = models.IntegerField()


class Variable(models.Model):
    key = models.TextField(unique=True)
    value = models.TextField()


def permission(about: int, codename: str) -> Permission:
    return Permission.objects.get(about=about, codename=codename)


def named(about: int, verb: str) -> Permission:
    return permission(about, codename=f"{verb}_document")


def both(about: int) -> tuple[Permission, Permission]:
    """Two rows: the name that is part of the key differs."""
    return named(about, "view"), named(about, "change")


def twice(about: int) -> tuple[Permission, Permission]:
    return permission(about, "view"), permission(about, "view")  # flagged


def variable(key: str) -> Variable | None:
    return Variable.objects.filter(key=key).first()


def put(key: str, value: str) -> Variable:
    """What was only just made of what the client sent is not the row."""
    given = Given(key=key, value=value)
    stored = variable(given.key)
    return stored or Variable.objects.create(key=given.key, value=given.value)


# file: app/schemas.py
from app.main import Variable
