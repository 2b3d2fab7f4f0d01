"""Reads of one row by key: what keys them, whether that tells one row, and whether the row comes whole."""

from __future__ import annotations

import pytest

from evenkeel.audit.model.loads import Load, loads_of
from tests.audit_model_runtime.modules import function_of

HEADER = """
from django.db import models
from sqlalchemy import select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

class Base(DeclarativeBase): ...

class User(Base):
    __tablename__ = "users"
    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str]
    team_id: Mapped[int]

class Shop(models.Model):
    slug = models.CharField(max_length=9)

def by_id(session: Session, user_id: int) -> User | None:
    return session.scalars(select(User).where(User.id == user_id)).first()

def newest(session: Session, team_id: int) -> User | None:
    return session.query(User).filter(User.team_id == team_id).order_by(User.id.desc()).first()

def in_steps(session: Session, user_id: int) -> User | None:
    statement = select(User).where(User.id == user_id)
    result = session.execute(statement)
    return result.unique().scalar_one_or_none()

def chosen(session: Session, user_id: int, limit: int) -> User | None:
    bound = random()
    return session.scalars(select(User).where(User.id == user_id, User.email == bound)).first()

def f(session: Session, key: int, user: User, when: str):
    {statement}
"""


def only(statement: str) -> Load:
    found = loads_of(function_of(HEADER.replace("{statement}", statement)))
    assert len(found) == 1, found
    return found[0]


LOADS = {  # statement -> key, identity, partial, unique
    "session.get(User, key)": (("key",), True, False, True),
    "session.scalar(select(User).where(User.id == key))": (("key",), False, False, True),
    "session.scalar(select(User.email).where(User.id == user.id))": (("user.id",), False, True, True),
    "session.query(User).filter_by(email=key).one()": (("key",), False, False, True),
    "session.query(User).filter(User.team_id == key).first()": (("key",), False, False, False),
    "Shop.objects.get(slug=key)": (("key",), False, False, True),
    "Shop.objects.values_list('slug').get(pk=key)": (("key",), False, True, True),
    "by_id(session, key)": (("key",), False, False, True),
    "by_id(session, user_id=user.id)": (("user.id",), False, False, True),
    "in_steps(session, key)": (("key",), False, False, True),
    "newest(session, key)": (("key",), False, False, False),
}


@pytest.mark.parametrize(("statement", "expected"), LOADS.items())
def test_loads(statement: str, expected: tuple[tuple[str, ...], bool, bool, bool]) -> None:
    load = only(statement)
    assert (load.key, load.identity, load.partial, load.unique) == expected


@pytest.mark.parametrize(
    "statement", ["session.query(User).all()", "chosen(session, key, 1)", "session.get(User, when[0])"]
)
def test_no_loads_by_key(statement: str) -> None:
    assert not loads_of(function_of(HEADER.replace("{statement}", statement)))
