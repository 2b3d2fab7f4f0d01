"""Flags: what stands under a parameter happens only for callers that raise it."""

from __future__ import annotations

import pytest

from tests.audit_model_runtime.modules import function_of

SOURCE = """
from sqlalchemy.orm import Session

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
}


@pytest.mark.parametrize(("call", "commits"), CALLS.items())
def test_commits(call: str, commits: bool) -> None:
    function = function_of(SOURCE.replace("{call}", call))
    asked = next(each for each in function.calls if each.targets)
    assert bool(asked.reaches("commit")) == commits
