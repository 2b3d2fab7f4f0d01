"""What runs only the first time is no cost of later callers."""

from __future__ import annotations

import pytest

from evenkeel.audit.model.once import runs_once
from evenkeel.audit.model.view import FunctionView
from tests.audit_model_runtime.modules import function_of, module_of

GLOBAL = """
from pathlib import Path

_text = None

def load():
    global _text
    if _text is None:
        _text = Path("a").read_text()
    return _text

def f():
    return load()
"""


def blocks_through(function: FunctionView) -> bool:
    return any(each.effect.blocking for call in function.calls for each in call.reaches("file"))


def test_a_global_that_is_loaded_once() -> None:
    assert not blocks_through(function_of(GLOBAL))
    assert blocks_through(function_of(GLOBAL.replace("if _text is None", "if _text is None or True")))


def test_an_early_return_guards_what_follows() -> None:
    source = GLOBAL.replace(
        '    if _text is None:\n        _text = Path("a").read_text()\n',
        '    if _text is not None:\n        return _text\n    _text = Path("a").read_text()\n',
    )
    assert "return _text\n    _text" in source
    assert not blocks_through(function_of(source))


def test_a_singleton_on_its_class() -> None:
    source = """
from pathlib import Path

class Settings:
    _instance = None

    @classmethod
    def get(cls):
        if cls._instance is None:
            cls._instance = Path("a").read_text()
        return cls._instance

def f():
    return Settings.get()
"""
    assert not blocks_through(function_of(source))
    assert blocks_through(function_of(source.replace("if cls._instance is None", "if True")))


@pytest.mark.parametrize(
    ("decorator", "parameters", "argument", "once"),
    [
        ("functools.cache", "", "", True),
        ("functools.lru_cache(maxsize=None)", "", "", True),
        ("functools.cache", "name", "'a'", False),
        ("functools.wraps(print)", "", "", False),
    ],
)
def test_cached_functions(decorator: str, parameters: str, argument: str, once: bool) -> None:
    source = f"""
import functools
from pathlib import Path

@{decorator}
def load({parameters}):
    return Path("a").read_text()

def f():
    return load({argument})
"""
    assert blocks_through(function_of(source)) is not once


def test_a_cached_property_belongs_to_its_object() -> None:
    source = """
import functools
from pathlib import Path

class Page:
    @functools.cached_property
    def text(self):
        return Path("a").read_text()

    @functools.lru_cache
    def kept(self):
        return Path("a").read_text()

def f(page: Page):
    return page.text

def g(page: Page):
    return page.kept()
"""
    assert blocks_through(function_of(source))
    assert not blocks_through(function_of(source, "g"))


def test_functions_that_run_once() -> None:
    source = """
from fastapi import FastAPI

app = FastAPI()

def helper():
    pass

@app.on_event("startup")
async def start():
    helper()

@app.get("/")
async def read():
    both()

def both():
    pass

@app.on_event("shutdown")
async def stop():
    both()

def loose():
    pass
"""
    once = {each.fact.name: runs_once(each.info) for each in module_of(source).functions[1:]}
    assert once == {"helper": True, "start": True, "read": False, "both": False, "stop": True, "loose": False}


def test_a_local_that_stands_for_the_global() -> None:
    source = GLOBAL.replace(
        '    if _text is None:\n        _text = Path("a").read_text()\n    return _text\n',
        '    text = _text\n    if text is None:\n        text = Path("a").read_text()\n        _text = text\n    return text\n',
    )
    assert "_text = text" in source
    assert not blocks_through(function_of(source))


KEPT = {
    "member": "if key not in cache:\n    cache[key] = open(key)\nreturn cache[key]",
    "early": "if key in cache:\n    return cache[key]\ncache[key] = open(key)\nreturn cache[key]",
    "looked up": "found = cache.get(key)\nif found is not None:\n    return found\ncache[key] = open(key)",
    "missing": "found = cache.get(key)\nif found is None:\n    found = open(key)\n    cache[key] = found\nreturn found",
}
NOT_KEPT = {
    "local map": "cache = {}\nif key not in cache:\n    cache[key] = open(key)",
    "never stored": "if key not in cache:\n    return open(key)",
    "another map": "if key not in cache:\n    other[key] = open(key)",
}


def reaches_kept(code: str) -> bool:
    body = "".join(f"    {line}\n" for line in code.splitlines())
    function = function_of(f"cache = {{}}\nother = {{}}\n\ndef load(key):\n{body}\ndef f(key):\n    load(key)\n")
    (reach,) = {each.kept: each for call in function.calls for each in call.reaches("file")}.values()
    return reach.kept


@pytest.mark.parametrize("code", KEPT.values(), ids=KEPT)
def test_kept_for_a_key(code: str) -> None:
    assert reaches_kept(code)


@pytest.mark.parametrize("code", NOT_KEPT.values(), ids=NOT_KEPT)
def test_not_kept(code: str) -> None:
    assert not reaches_kept(code)
