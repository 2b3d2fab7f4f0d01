"""Masks never leave out what a call reaches: whatever rules are spared, no finding is lost by it."""

from __future__ import annotations

import functools
import operator
from pathlib import Path
from typing import get_args

import pytest

from evenkeel.audit.model import call_view, function_view, handed, masks, shapes
from evenkeel.audit.model.context import build_context
from evenkeel.audit.model.effects import EffectKind
from evenkeel.audit.model.facts import FileFacts, FileOutline
from evenkeel.audit.model.finding import CATEGORIES, Finding
from evenkeel.audit.model.index import Index
from evenkeel.audit.model.profile import Profile
from evenkeel.audit.model.view import CallView, FunctionView, ModuleView, decoded_ahead
from evenkeel.audit.rules import all_rules, rules_of
from evenkeel.audit.workers.judging import judge
from tests.audit_model_runtime.modules import function_of
from tests.effects.linked import link_source, link_tree
from tests.rules.trees import examples, split_files

KINDS: tuple[EffectKind, ...] = get_args(EffectKind)
PAGES = [
    pytest.param(example.files, id=f"{rule.slug}-{number}")
    for rule in all_rules()
    for number, example in enumerate(examples(rule.page))
]

SAMPLES = sorted((Path(__file__).parents[1] / "rules" / "samples").glob("*/*.py"))


def functions_of(root: Path, files: dict[str, str]) -> list[FunctionView]:
    index = link_tree(root, files).index
    return [each for number in range(len(index.files)) for each in ModuleView(index, number).functions]


@pytest.mark.parametrize("files", PAGES)
def test_no_call_is_left_out(files: dict[str, str], tmp_path: Path) -> None:
    for function in functions_of(tmp_path, files):
        for kind in KINDS:
            reaching = [each for each in function.calls if each.reaches(kind, spawned=True)]
            blocking = [each for each in reaching if any(reach.effect.blocking for reach in each.reaches(kind))]
            kept, kept_blocking = function.calls_reaching(kind), function.calls_blocking(kind)
            assert set(reaching) <= set(kept)
            assert set(blocking) <= set(kept_blocking)
            assert [each.index for each in kept] == [each.index for each in function.calls if each in set(kept)]
            assert not kept or function in function.module.functions_reaching(kind)


@pytest.mark.parametrize("files", PAGES)
def test_what_a_loop_repeats_is_told_before_code_is_decoded(files: dict[str, str], tmp_path: Path) -> None:
    for function in functions_of(tmp_path, files):
        linked = {each.call for each in function.linked.links}
        assert {each.index for each in function.calls if each.loops and each.index in linked} == set(
            function.linked.looped
        )
        for kind in KINDS:
            repeated = [each for each in function.calls_reaching(kind) if each.loops]
            assert list(function.calls_repeating(kind)) == repeated
            assert function.count_marked(masks.mask_of(kind)) == len(function.calls_reaching(kind))
            assert not repeated or function in function.module.functions_repeating(kind)
        kinds = {each.kind for each in function.fact.blocks}
        assert bool(function.shape & shapes.YIELDS) == function.fact.is_generator
        assert bool(function.shape & shapes.METHOD) == (function.fact.owner >= 0)
        assert {kind for kind, bit in shapes.STANDS.items() if function.shape & bit} == kinds


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_no_finding_hangs_on_what_was_passed_over(
    sample: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = link_tree(tmp_path, split_files(sample.read_text())).index
    spared = _findings(index)
    _look_at_everything(monkeypatch)
    assert _findings(index) == spared


def _findings(index: Index) -> list[Finding]:
    context = build_context(Profile(root="."), {})
    reports = [judge(name, title, rules_of(name), index, context, lambda _: None) for name, title, _ in CATEGORIES]
    return [finding for report in reports for finding in report.findings]


def _look_at_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every mark that only says that something may be there is set on everything."""
    marks = (
        masks.BLOCKS,
        masks.GIVEN,
        masks.GETS,
        masks.ACQUIRES,
        masks.OPENS_CLIENT,
        masks.READS_ITSELF,
        masks.UPDATES_ITSELF,
    )
    may_be = functools.reduce(operator.or_, marks, masks.KINDS)
    of_link = masks.mask_of_link
    monkeypatch.setattr(function_view, "mask_of_link", lambda link: of_link(link) | may_be)
    monkeypatch.setattr(FunctionView, "mask", -1)
    monkeypatch.setattr(FunctionView, "looped_mask", -1)
    every_block = functools.reduce(operator.or_, shapes.STANDS.values(), shapes.PLAIN_WITH)
    monkeypatch.setattr(FunctionView, "shape", property(lambda function: function.linked.shape | every_block))
    monkeypatch.setattr(FunctionView, "holds", lambda *_, **__: True)
    monkeypatch.setattr(ModuleView, "holds", lambda *_: True)
    for module in (call_view, handed):
        monkeypatch.setattr(module, "mask_of_function", lambda *_: may_be)


def test_what_reaches_nothing_is_left_out() -> None:
    function = function_of("import requests\ndef f(x):\n    str(x)\n    requests.get(x)\n    len(x)\n")
    assert [each.name for each in function.calls_reaching("network")] == ["get"]
    assert function.calls_reaching("db-read") == ()
    assert list(function.module.functions_reaching("db-read")) == []


def test_what_blocks_inside_an_async_callee_blocks_no_caller() -> None:
    source = """
import time

async def g():
    time.sleep(1)

def h():
    time.sleep(1)

async def f():
    await g()
    h()
"""
    function = function_of(source)
    assert [each.name for each in function.calls_reaching("sleep")] == ["g", "h"]
    assert [each.name for each in function.calls_blocking("sleep")] == ["h"]


def test_a_given_statement_may_do_anything() -> None:
    source = """
from sqlalchemy import text
from sqlalchemy.orm import Session

def run(session: Session, statement: str) -> None:
    session.execute(text(statement))

def f(session: Session) -> None:
    run(session, "DELETE FROM leases WHERE id = 1")
"""
    function = function_of(source)
    deleting = [each for each in function.calls if each.reaches("db-delete")]
    assert deleting, "the sample shows nothing"
    assert set(deleting) <= set(function.calls_reaching("db-delete"))


def test_texts_are_found_before_anything_is_decoded() -> None:
    function = function_of("def f(x):\n    x.Lock += 1\n")
    function.module.forget()
    assert function.holds("+=")
    assert function.holds("nowhere", "x.Lock")
    assert not function.holds("x.lock")
    assert function.holds("x.lock", any_case=True)
    assert function.module.holds("x.Lock")
    assert not function.module.holds("nowhere")
    assert "fact" not in vars(function)


def test_forgotten_code_is_decoded_anew() -> None:
    function = function_of("import time\ndef f():\n    time.sleep(1)\n")
    before = [each.fact for each in function.calls]
    function.module.forget()
    assert "fact" not in vars(function)
    assert [each.fact for each in function.calls] == before
    assert [each.name for each in function.calls_reaching("sleep")] == ["sleep"]


def test_decoded_ahead_every_file_is_one_view() -> None:
    index = link_source("import other\ndef f():\n    other.g()\n", other="def g():\n    pass\n").index
    held = decoded_ahead(index)
    assert set(held) == {path for path, _ in index.files}
    call: CallView = held["app.py"].functions[1].calls[0]
    assert held["app.py"].function(call.targets[0]) is held["other.py"].functions[1]


def test_an_outline_has_the_fields_of_facts() -> None:
    assert FileOutline.__struct_fields__ == FileFacts.__struct_fields__
