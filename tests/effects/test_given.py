"""Parameters without annotations: their type is what callers pass."""

from __future__ import annotations

from pathlib import Path

from tests.effects.linked import link_source, link_tree, misread

AGREED = """
import sqlalchemy
from sqlalchemy.orm import Session, sessionmaker
Local = sessionmaker(sqlalchemy.create_engine("x"))
class Store:
    def __init__(self, unit):
        self.unit = unit
    def keep(self):
        self.unit.commit()  #: commit blocks
    def put(self, where, *, flush=None):
        where.flush()  #: db-flush blocks
def inner(x):
    x.commit()  #: commit blocks
def outer(a, y):
    inner(y)
def late(z=None):
    z.rollback()  #: rollback blocks
def never(q):
    q.commit()  #:
def main():
    with Local() as s:
        outer(1, y=s)
        store = Store(s)
        store.put(s)
        late(z=s)
        late()
"""

SPLIT = """
import smtplib, sqlalchemy
class A:
    def close_all(self): ...
class B:
    def close_all(self): ...
def use(x):
    x.close_all()
def again(y, n):
    y.close_all()
    again(y, n - 1)
def star(z):
    z.close_all()
def main(args):
    use(A())
    use(B())
    again(A(), 3)
    star(*args)
"""


def test_what_all_callers_pass_is_the_type() -> None:
    assert misread(AGREED) == []


def test_callers_that_differ_tell_nothing() -> None:
    tree = link_source(SPLIT)
    assert tree.targets("    x.close_all()") == set()
    assert tree.targets("    y.close_all()") == {"app.A.close_all"}
    assert tree.targets("    z.close_all()") == set()


def test_callers_in_tests_do_not_count(tmp_path: Path) -> None:
    used = "class A:\n    def go(self): ...\nclass B:\n    def go(self): ...\ndef use(x):\n    x.go()\n"
    files = {
        "app.py": used + "def main():\n    use(A())\n",
        "tests/test_app.py": "from app import B, use\ndef test_it():\n    use(B())\n",
    }
    assert link_tree(tmp_path, files).targets("    x.go()") == {"app.A.go"}
