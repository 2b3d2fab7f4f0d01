"""Containers that live as long as the process, where they grow, and what makes them smaller."""

from __future__ import annotations

import pytest

from evenkeel.audit.model.growth import containers, growths, may_shrink
from tests.audit_model_runtime.modules import module_of

SOURCE = """
from collections import defaultdict, deque
from dataclasses import dataclass, field
from cachetools import TTLCache

plain = {}
seen: set[str] = set()
lists = defaultdict(list)
bounded = TTLCache(10, 10)
last = deque(maxlen=3)
table = {"a": 1}

class Kept:
    shared = {}

    def __init__(self):
        self.mine = {}

class Passing:
    def __init__(self):
        self.mine = {}

@dataclass
class Row:
    tags: list[str] = field(default_factory=list)

kept = Kept()

def f(key, value):
    plain[key.id] = value
    seen.add(key)
    lists[key].append(value)
    table[key] = value
    Passing().mine[key] = value
"""


def test_containers_that_last() -> None:
    found = {(each.name, each.scope) for each in containers(module_of(SOURCE))}
    assert found == {
        ("plain", "module"),
        ("seen", "module"),
        ("lists", "module"),
        ("shared", "class"),
        ("mine", "object"),
    }


def test_parts_of_what_lasts_last() -> None:
    source = """
class Inner:
    def __init__(self):
        self.rows = []

class Outer:
    def __init__(self):
        self.inner = Inner()

class Loose:
    def __init__(self):
        self.rows = []

def make():
    return Loose()
"""
    assert not any(each.kept for each in containers(module_of(source)))
    made = containers(module_of(source + "\nouter = Outer()\n"))
    assert [each.owner for each in made if each.kept] == ["Inner"]


def test_where_they_grow_and_by_what_key() -> None:
    module = module_of(SOURCE)
    found = {each.name: [g.keys for g in growths(module, each)] for each in containers(module)}
    assert found == {"plain": [("key.id",)], "seen": [("key",)], "lists": [("",)], "shared": [], "mine": []}


def test_growth_in_another_file() -> None:
    users = {"web": "from app import plain\n\ndef g(name):\n    plain[name] = 1\n"}
    module = module_of("plain = {}\n", **users)
    (container,) = containers(module)
    assert [each.place.function.name for each in growths(module, container)] == ["web.g"]
    module = module_of("plain = {}\n", web="import app\n\ndef g(name):\n    app.plain[name] = 1\n")
    assert [each.place.function.name for each in growths(module, container)] == ["web.g"]


def test_a_local_of_the_same_name_is_another() -> None:
    module = module_of(
        "plain = {}\n\ndef f(key):\n    plain = {}\n    plain[key] = 1\n\ndef g(plain):\n    plain[1] = 1\n"
    )
    (container,) = containers(module)
    assert list(growths(module, container)) == []


def test_the_applications_state() -> None:
    module = module_of("def f(request, key):\n    request.app.state.locks[key] = 1\n")
    (container,) = containers(module)
    assert (container.name, container.scope) == ("locks", "state")
    assert [each.keys for each in growths(module, container)] == [("key",)]


SHRINKS = {
    "del": "def g(key):\n    del plain[key]",
    "pop": "def g(key):\n    plain.pop(key, None)",
    "rebound": "def g():\n    global plain\n    plain = {}",
    "size": "def g():\n    if len(plain) > 9:\n        raise ValueError",
    "alias": "def g(key):\n    other = plain\n    other.pop(key)",
    "passed on": "def g():\n    expire(plain)",
    "callback": "def g(task):\n    task.add_done_callback(plain.pop)",
}
STAYS = {
    "read": "def g(key):\n    return plain.get(key)",
    "listed": "def g():\n    return sorted(plain)",
    "element": "def g(key):\n    plain[key].pop()",
    "size told": "def g(gauge):\n    gauge.set(len(plain))",
}


@pytest.mark.parametrize("code", SHRINKS.values(), ids=SHRINKS)
def test_it_may_shrink(code: str) -> None:
    module = module_of(f"plain = {{}}\n\ndef f(key):\n    plain[key] = 1\n\n{code}\n")
    assert may_shrink(module, containers(module)[0])


@pytest.mark.parametrize("code", STAYS.values(), ids=STAYS)
def test_it_only_grows(code: str) -> None:
    module = module_of(f"plain = {{}}\n\ndef f(key):\n    plain[key] = 1\n\n{code}\n")
    assert not may_shrink(module, containers(module)[0])


def test_another_file_may_empty_it() -> None:
    module = module_of("plain = {}\n", jobs="from app import plain\n\ndef g():\n    plain.clear()\n")
    assert may_shrink(module, containers(module)[0])
