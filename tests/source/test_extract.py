from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from evenkeel.audit.model.facts import FileFacts
from evenkeel.audit.model.packing import unpack
from evenkeel.audit.source import extract as extract_module
from evenkeel.audit.source import languages
from evenkeel.audit.source.cache import FactsCache
from evenkeel.audit.source.extract import Extracted, extract, read_file
from evenkeel.audit.source.walk import AuditedFile, walk
from tests.source.trees import grow, state_of

SETTLED = (1_600_000_000, 1_600_000_000)  # access and modification time, long ago


def backend(root: Path, files: int) -> Path:
    source = "async def f{0}(session):\n    for row in rows:\n        await session.execute(g{0}(row))\n"
    grow(root, {f"app/m{each:03}.py": source.format(each) for each in range(files)})
    settle(root)
    return root


def settle(root: Path) -> None:
    for each in root.rglob("*.py"):
        os.utime(each, SETTLED)


def run(root: Path, cache: Path | None = None, jobs: int = 2) -> Extracted:
    with FactsCache.open(enabled=cache is not None, folder=cache) as opened:
        return extract(walk(root).files, cache=opened, jobs=jobs)


def facts(extracted: Extracted) -> dict[str, FileFacts]:
    return {each.path: msgspec.msgpack.decode(unpack(each.facts), type=FileFacts) for each in extracted.files}


@pytest.mark.parametrize("files", [0, 3, extract_module.FEW_FILES * 3])
def test_all_facts_in_the_order_of_the_files(tmp_path: Path, files: int) -> None:
    root = backend(tmp_path, files)
    extracted = run(root)
    assert [each.path for each in extracted.files] == [each.path for each in walk(root).files]
    assert len(extracted.files) == files
    for number, each in enumerate(facts(extracted).values()):
        assert [call.callee for call in each.functions[1].calls] == [f"g{number}", "session.execute"]
    assert extracted.gaps == ()


def test_processes_and_cache_change_nothing(tmp_path: Path) -> None:
    root = backend(tmp_path / "root", 60)
    before = state_of(root)
    plain = run(root, jobs=1)
    cold = run(root, tmp_path / "cache", jobs=3)
    warm = run(root, tmp_path / "cache")
    assert plain.files == cold.files == warm.files
    assert (plain.cached, cold.cached, warm.cached) == (0, 0, 60)
    assert state_of(root) == before


def test_facts_are_kept_when_the_caller_says_so(tmp_path: Path) -> None:
    root = backend(tmp_path / "root", extract_module.FEW_FILES)
    with FactsCache.open(folder=tmp_path / "cache") as cache:
        kept: list[Callable[[], None]] = []
        cold = extract(walk(root).files, cache=cache, later=kept.append)
        (save,) = kept
        assert run(root, tmp_path / "cache").cached == 0
        save()
    warm = run(root, tmp_path / "cache")
    assert (warm.cached, warm.files) == (len(cold.files), cold.files)


def test_progress_counts_to_the_end(tmp_path: Path) -> None:
    root = backend(tmp_path / "root", 50)
    told: list[tuple[int, int]] = []
    for _ in range(2):
        with FactsCache.open(folder=tmp_path / "cache") as cache:
            extract(walk(root).files, cache=cache, jobs=2, progress=lambda done, total: told.append((done, total)))
    cold, warm = told[:-1], told[-1]
    assert (cold[0], cold[-1], warm) == ((0, 50), (50, 50), (50, 50))
    assert [done for done, _ in cold] == list(range(51))


def test_only_what_changed_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = backend(tmp_path / "root", 5)
    run(root, tmp_path / "cache")
    (root / "app/m001.py").write_text("changed()\n")
    opened: list[str] = []

    def watched(file: AuditedFile, *, packed: bool) -> extract_module.Reading:
        opened.append(file.path)
        return read_file(file, packed=packed)

    monkeypatch.setattr(extract_module, "read_file", watched)
    extracted = run(root, tmp_path / "cache")
    assert extracted.cached == 4
    assert opened == ["app/m001.py"]
    assert facts(extracted)["app/m001.py"].functions[0].calls[0].callee == "changed"


def test_an_equal_file_elsewhere_or_touched_is_not_parsed_again(tmp_path: Path) -> None:
    root = backend(tmp_path / "root", 5)
    first = run(root, tmp_path / "cache")
    shutil.copytree(root, tmp_path / "copy")
    for each in (tmp_path / "copy").rglob("*.py"):
        os.utime(each, (1_650_000_000, 1_650_000_000))
    copied = run(tmp_path / "copy", tmp_path / "cache")
    assert (copied.cached, copied.files) == (5, first.files)


def test_a_folder_and_the_one_around_it_are_audited_in_turn(tmp_path: Path) -> None:
    """The same file has another path in each, which its facts hold."""
    outer = tmp_path / "project"
    inner = backend(outer / "src", 5)
    for root in (inner, outer, inner, outer):
        assert facts(run(root, tmp_path / "cache")) == facts(run(root))


def test_facts_of_an_older_front_end_are_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = backend(tmp_path / "root", 3)
    run(root, tmp_path / "cache")
    monkeypatch.setattr(extract_module, "version", lambda language: "newer")
    assert run(root, tmp_path / "cache").cached == 0
    assert run(root, tmp_path / "cache").cached == 3


def test_a_module_that_gets_another_name_is_read_again(tmp_path: Path) -> None:
    root = grow(tmp_path / "root", {"app/a.py": "from . import b\n", "app/b.py": ""})
    settle(root)
    assert facts(run(root, tmp_path / "cache"))["app/a.py"].module == "app.a"
    grow(root, {"app/pyproject.toml": ""})
    assert facts(run(root, tmp_path / "cache"))["app/a.py"].module == "a"


def test_the_version_names_code_and_grammar() -> None:
    version = languages.version("python")
    assert "tree-sitter-python" in version
    assert len(version.split("/")[0]) == 16


def test_syntax_errors_are_gaps_beside_the_facts_also_from_the_cache(tmp_path: Path) -> None:
    root = grow(tmp_path / "root", {"a.py": "f()\nx = = 1\nprint 'x'\ng()\n", "b.py": "ok()\n"})
    settle(root)
    for _ in range(2):
        extracted = run(root, tmp_path / "cache")
        (gap,) = extracted.gaps
        assert (gap.kind, gap.what, gap.count) == ("unparsed", "a.py", 2)
        assert "line 2, 3;" in gap.why
        assert len(extracted.files) == 2


def test_generated_files_keep_their_facts_and_are_told_apart(tmp_path: Path) -> None:
    head = "# This file is auto-generated by a tool\n"
    root = grow(tmp_path / "root", {
        "a.py": f"{head}from b import c\n", "b.py": "c = 1\n", "migrations/0001_a.py": "# Generated by Django 5\nx = 1\n",
    })  # fmt: skip
    settle(root)
    for _ in range(2):
        extracted = run(root, tmp_path / "cache")
        assert [(each.path, each.kind) for each in extracted.files] == [
            ("a.py", "generated"), ("b.py", "code"), ("migrations/0001_a.py", "migration"),
        ]  # fmt: skip
        assert facts(extracted)["a.py"].imports[0].target == "b.c"


def test_binary_files_are_gaps(tmp_path: Path) -> None:
    extracted = run(grow(tmp_path, {"a.py": b"\x7fELF\0\0\0", "b.py": "x = 1\n"}))
    (gap,) = extracted.gaps
    assert (gap.kind, gap.what) == ("skipped", "a.py")
    assert [each.path for each in extracted.files] == ["b.py"]


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("# -*- coding: latin-1 -*-\ngröße = f()\n".encode("latin-1"), "größe"),
        ("#!/usr/bin/python\n# vim: set fileencoding=cp1251 :\nцена = f()\n".encode("cp1251"), "цена"),
        (b"\xef\xbb\xbfpreis = f()\n", "preis"),
        (b"# caf\xe9\npreis = f()\n", "preis"),
        (b"# coding: nonsense\npreis = f()  # \xff\n", "preis"),
        (b"# coding: hex\npreis = f()  # \xff\n", "preis"),
        ("# coding: ascii\npreis = f()  # ü\n".encode(), "preis"),
        (b"preis = f()\rx = 1\r", "preis"),
        (b"preis = f()\r\nx = 1\r\n", "preis"),
    ],
)
def test_encodings(tmp_path: Path, source: bytes, name: str) -> None:
    extracted = run(grow(tmp_path, {"a.py": source}))
    assert extracted.gaps == ()
    (first, *_) = facts(extracted)["a.py"].functions[0].assignments
    assert first.targets == (name,)
    assert first.value.text == "f()"


def test_a_file_that_is_gone_is_a_gap(tmp_path: Path) -> None:
    root = backend(tmp_path, 3)
    files = walk(root).files
    (root / "app/m001.py").unlink()
    with FactsCache.open(enabled=False) as cache:
        extracted = extract(files, cache=cache)
    (gap,) = extracted.gaps
    assert (gap.kind, gap.what) == ("unreadable", "app/m001.py")
    assert len(extracted.files) == 2


def test_a_file_that_cannot_be_read_is_a_gap(tmp_path: Path) -> None:
    root = backend(tmp_path, 3)
    files = list(walk(root).files)
    folder = msgspec.structs.replace(files[0], path="app", absolute=str(root / "app"))  # root reads any file, no folder
    with FactsCache.open(enabled=False) as cache:
        extracted = extract([folder, *files[1:]], cache=cache)
    assert [(each.kind, each.what) for each in extracted.gaps] == [("unreadable", "app")]


def crashing(file: AuditedFile, *, packed: bool) -> bytes:
    if file.path.endswith("m017.py"):
        os.abort()
    return msgspec.msgpack.encode(extract_module.read_file(file, packed=packed))


def test_a_file_that_crashes_the_parser_is_the_only_gap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = backend(tmp_path / "root", 100)
    monkeypatch.setattr(extract_module, "read_encoded", crashing)
    extracted = run(root, tmp_path / "cache")
    (gap,) = extracted.gaps
    assert (gap.kind, gap.what) == ("unparsed", "app/m017.py")
    assert "crashed" in gap.why
    assert len(extracted.files) == 99
    assert run(root, tmp_path / "cache").cached == 99  # it is tried again next time


def test_a_fault_in_the_front_end_costs_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = grow(tmp_path, {"a.py": "x = 1\n", "b.py": "y = 2\n"})

    def broken(source: bytes, path: str, module: str) -> FileFacts:
        if path == "a.py":
            raise IndexError("no such child")
        return languages.reader("python")(source, path, module)

    monkeypatch.setattr(extract_module, "reader", lambda language: broken)
    extracted = run(root)
    (gap,) = extracted.gaps
    assert (gap.kind, gap.what) == ("unparsed", "a.py")
    assert "report" in gap.why
    assert [each.path for each in extracted.files] == ["b.py"]


def test_notes_of_the_cache_are_passed_on(tmp_path: Path) -> None:
    root = backend(tmp_path / "root", 2)
    grow(tmp_path, {"file": ""})
    extracted = run(root, tmp_path / "file" / "cache")
    assert len(extracted.files) == 2
    assert len(extracted.notes) == 1
