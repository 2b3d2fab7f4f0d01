"""Loading: the merged result is cached, the user's table is merged in, a bad table is refused with what would help."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from evenkeel.audit.effects import loading
from evenkeel.audit.effects.catalogue import CallSpec, find_call
from evenkeel.audit.effects.loading import load, parse_files
from evenkeel.kernel.errors import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path


def test_a_second_load_reads_the_cache_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = load("python", cache_dir=tmp_path)
    monkeypatch.setattr(loading, "parse_files", _must_not_run)
    assert load("python", cache_dir=tmp_path) == first
    assert len(first.calls) > 4000


def test_a_damaged_cache_is_parsed_again_and_mended(tmp_path: Path) -> None:
    first = load("python", cache_dir=tmp_path)
    (cached,) = (tmp_path / "effects").iterdir()
    good = cached.read_bytes()
    for damage in (b"", b"\xc1", good[: len(good) // 2]):
        cached.write_bytes(damage)
        assert load("python", cache_dir=tmp_path) == first
        assert cached.read_bytes() == good


def test_a_cache_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a directory")
    assert load("python", cache_dir=blocked).calls["time.sleep"].blocking


def test_a_changed_file_makes_the_cache_stale(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "one.toml"
    monkeypatch.setattr(loading, "catalogue_files", lambda _language: [file])
    file.write_text('[calls]\n"a.b" = { blocking = true }\n')
    assert set(load("python", cache_dir=tmp_path).calls) == {"a.b"}
    file.write_text('[calls]\n"a.b" = { blocking = true }\n"a.c" = {}\n')
    assert set(load("python", cache_dir=tmp_path).calls) == {"a.b", "a.c"}
    assert len(list((tmp_path / "effects").iterdir())) == 1, "the stale one is dropped"


def test_a_language_without_files_has_an_empty_catalogue(tmp_path: Path) -> None:
    assert load("cobol", cache_dir=tmp_path).calls == {}


def test_a_language_is_a_plain_name(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="not the name of a language"):
        load("../python", cache_dir=tmp_path)


def test_the_users_table_wins_and_leaves_the_rest(tmp_path: Path) -> None:
    extra = {
        "imports": ["acme"],
        "types": {"acme.Store": {"role": "client", "names": ["store"], "bases": ["sqlalchemy.orm.session.Session"]}},
        "calls": {"acme.Store.{pull,push}": {"effects": ["network:acme"], "blocking": True}, "time.sleep": {}},
    }
    merged = load("python", extra, cache_dir=tmp_path)
    assert merged.calls["acme.Store.push"] == CallSpec(effects=("network:acme",), blocking=True)
    assert merged.calls["time.sleep"] == CallSpec()
    assert merged.types["acme.Store"].imports == ("acme",)
    inherited = find_call(merged, "acme.Store", "commit")
    assert inherited is not None
    assert inherited.effects == ("commit",)
    assert load("python", cache_dir=tmp_path).calls["time.sleep"].blocking, "the cache holds the shipped files alone"


def test_the_user_may_write_any_import_path_of_a_library_type(tmp_path: Path) -> None:
    merged = load(
        "python", {"calls": {"redis.StrictRedis.frobnicate": {"effects": ["network:redis"]}}}, cache_dir=tmp_path
    )
    assert "redis.Redis.frobnicate" in merged.calls


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        ({"cals": {}}, ("tool.evenkeel.effects", "'cals'", "Did you mean 'calls'?", "decorators")),
        ({"calls": {"a.b": {"blokcing": True}}}, ("calls.'a.b'", "'blokcing'", "Did you mean 'blocking'?", "returns")),
        ({"calls": {"a.b": {"effects": ["db-raed"]}}}, ("calls.'a.b'.effects", "'db-raed'", "Did you mean 'db-read'?")),
        ({"calls": {"a.b": {"effects": "db-read"}}}, ("calls.'a.b'", "array")),
        ({"calls": {"a.b": {"returns": "list[$0"}}}, ("calls.'a.b'.returns", "not closed")),
        ({"calls": {"a.b": True}}, ("calls.'a.b'", "not a table")),
        ({"calls": {"a b": {}}}, ("calls.'a b'", "not a dotted name")),
        ({"calls": {"a.{b": {}}}, ("calls.'a.{b'", "brace")),
        ({"calls": {"a.{b,c}": {}, "a.c": {}}}, ("'a.c'", "twice")),
        ({"calls": []}, ("tool.evenkeel.effects.calls", "not a table")),
        ({"types": {"a.B": {"role": "sesion"}}}, ("types.'a.B'", "sesion")),
        ({"types": {"a.B": {"bases": ["a.C"]}}}, ("'a.C'", "types.'a.B'", "not a type")),
        ({"imports": "acme"}, ("tool.evenkeel.effects", "array")),
        ({"aliases": {"a": "a.b"}}, ("'a'", "back")),
        ({"aliases": {"a": "b", "b": "a"}}, ("alias", "back")),
        ({"aliases": {"a.b": "c"}, "types": {"a.d": {"aliases": ["a.b"]}}}, ("'a.b'", "'c'", "'a.d'")),
    ],
)
def test_a_bad_table_is_refused_by_name(extra: dict[str, object], words: tuple[str, ...], tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as refused:
        load("python", extra, cache_dir=tmp_path)
    for word in words:
        assert word in str(refused.value)
    assert refused.value.hint


def test_files_may_not_contradict_one_another(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / f"{name}.toml").write_text('[calls]\n"a.b" = {}\n')
    with pytest.raises(ConfigurationError, match=r"two\.toml: calls\.'a\.b' is already defined in one\.toml"):
        parse_files([tmp_path / "one.toml", tmp_path / "two.toml"])


def test_a_broken_file_is_named(tmp_path: Path) -> None:
    broken = tmp_path / "broken.toml"
    broken.write_text("[calls\n")
    with pytest.raises(ConfigurationError, match=r"broken\.toml"):
        parse_files([broken])


def _must_not_run(_files: object) -> None:
    raise AssertionError("the cache should have answered")
