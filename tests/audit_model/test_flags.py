"""Flags: what stands under a parameter happens only for callers that raise it."""

from __future__ import annotations

import pytest

from tests.audit_model_runtime.modules import function_of

SOURCE = """
from enum import Enum

from sqlalchemy.orm import Session

class Mode(Enum):
    READ = 1
    WRITE = 2

class Items:
    def __init__(self, session: Session) -> None:
        self.session = session

    def add(self, item, commit: bool = False):
        self.session.add(item)
        if commit:
            self.session.commit()

    def keep(self, item, *, commit=True):
        self.add(item, commit=commit)

    def early(self, item, commit=False):
        if not commit:
            return
        self.session.commit()

    def within(self, item, mode: Mode = Mode.READ):
        self.session.add(item)
        if mode is Mode.WRITE:
            self.session.commit()

    def unless(self, item, mode):
        if mode != Mode.READ:
            self.session.commit()

    def otherwise(self, item, mode: Mode):
        if mode == Mode.READ:
            self.session.rollback()
        else:
            self.session.commit()

    def through(self, item, mode: Mode = Mode.WRITE):
        self.within(item, mode)

    def two(self, item, check=True, commit=False):
        if check:
            self.add(item, commit=commit)

def f(items: Items, item, flag, options):
    {call}
"""
CALLS = {
    "items.add(item)": False,
    "items.add(item, True)": True,
    "items.add(item, commit=False)": False,
    "items.add(item, commit=flag)": True,
    "items.add(item, **options)": True,
    "items.keep(item)": True,
    "items.keep(item, commit=False)": False,
    "items.early(item)": False,
    "items.early(item, commit=True)": True,
    "items.within(item)": False,
    "items.within(item, Mode.READ)": False,
    "items.within(item, Mode.WRITE)": True,
    "items.within(item, mode=flag)": True,
    "items.within(item, None)": False,
    "items.unless(item, Mode.READ)": False,
    "items.unless(item, Mode.WRITE)": True,
    "items.unless(item, None)": True,
    "items.otherwise(item, Mode.READ)": False,
    "items.otherwise(item, Mode.WRITE)": True,
    "items.through(item)": True,
    "items.through(item, Mode.READ)": False,
    "items.through(item, flag)": True,
    "items.two(item)": False,
    "items.two(item, commit=True)": True,
}


@pytest.mark.parametrize(("call", "commits"), CALLS.items())
def test_commits(call: str, commits: bool) -> None:
    function = function_of(SOURCE.replace("{call}", call))
    asked = next(each for each in function.calls if each.targets)
    assert bool(asked.reaches("commit")) == commits
