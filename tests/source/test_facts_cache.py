from __future__ import annotations

import sqlite3
import threading
import time
from functools import partial
from pathlib import Path

import pytest

from evenkeel.audit.model.packing import pack, unpack
from evenkeel.audit.source import cache as cache_module
from evenkeel.audit.source.cache import (
    FILE_NAME,
    USED_AGAIN_S,
    FactsCache,
    Record,
    Seen,
    cache_folder,
    digest,
)
from tests.source.trees import grow, state_of

LONG_AGO = 1_600_000_000_000_000_000  # ns: settled
NOW = 1_700_000_000  # s
ROOT = "/srv/shop"


def record(name: str, facts: bytes = b"facts", errors: tuple[int, ...] = (), *, generated: bool = False) -> Record:
    return Record(digest("v1", name, facts), name, len(facts), pack(facts), errors, generated)


def seen(of: Record, *, root: str = ROOT, mtime_ns: int = LONG_AGO) -> Seen:
    return Seen(f"{root}/{of.path}", mtime_ns, of.source, "v1", of.key)


def save(folder: Path, records: list[Record], root: str = ROOT, mtime_ns: int = LONG_AGO) -> None:
    with FactsCache.open(folder=folder) as cache:
        cache.known(root)
        cache.save(records, [seen(each, root=root, mtime_ns=mtime_ns) for each in records], root)
        assert cache.notes == []


def test_what_was_saved_is_known_again(tmp_path: Path) -> None:
    kept = [record("a.py", b"A" * 5_000), record("b.py", b"B", (3, 9), generated=True)]
    save(tmp_path, kept)
    with FactsCache.open(folder=tmp_path) as cache:
        assert cache.known(ROOT) == {f"{ROOT}/{each.path}": (seen(each), each) for each in kept}
        assert cache.get(kept[0].key) == kept[0]
        assert cache.may_hold("a.py", 5_000)
        assert not cache.may_hold("a.py", 4_999)
        assert cache.get(b"unknown") is None
    assert unpack(kept[0].packed) == b"A" * 5_000


def test_only_files_below_the_root_are_known(tmp_path: Path) -> None:
    for root in ("/srv/shop", "/srv/shop2", "/srv/shop/inner", "/srv"):
        save(tmp_path, [record(f"{root[-1]}.py")], root)
    with FactsCache.open(folder=tmp_path) as cache:
        assert sorted(cache.known("/srv/shop")) == ["/srv/shop/inner/r.py", "/srv/shop/p.py"]


def test_a_key_depends_on_source_path_and_stamp() -> None:
    keys = {digest("v1", "a", b"x"), digest("v2", "a", b"x"), digest("v1", "b", b"x"), digest("v1", "a", b"y")}
    assert len(keys) == 4
    assert {len(each) for each in keys} == {16}


def test_a_file_that_changed_just_now_gets_no_shortcut(tmp_path: Path) -> None:
    kept = record("a.py")
    save(tmp_path, [kept], mtime_ns=2**62)
    with FactsCache.open(folder=tmp_path) as cache:
        assert cache.known(ROOT) == {}
        assert cache.get(kept.key) == kept  # its content is known all the same


def test_a_closed_or_disabled_cache_answers_nothing(tmp_path: Path) -> None:
    with FactsCache.open(enabled=False, folder=tmp_path) as cache:
        assert cache.known(ROOT) == {}
        cache.save([record("a.py")], [], ROOT)
        assert (cache.get(b""), cache.may_hold("a.py", 5), cache.notes) == (None, False, [])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("damage", [b"", b"no database" * 1_000, None])
def test_a_damaged_file_is_started_anew(tmp_path: Path, damage: bytes | None) -> None:
    save(tmp_path, [record(f"{each}.py", bytes([each]) * 9_000) for each in range(200)])
    path = tmp_path / FILE_NAME
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2] + b"\xff" * 8_192 if damage is None else damage)
    kept = record("a.py")
    with FactsCache.open(folder=tmp_path) as cache:  # may have to give up, must not raise
        cache.known(ROOT)
        cache.save([kept], [seen(kept)], ROOT)
    with FactsCache.open(folder=tmp_path) as cache:
        cache.known(ROOT)
        cache.save([kept], [seen(kept)], ROOT)
        assert cache.known(ROOT)[f"{ROOT}/a.py"][1] == kept


def test_damage_is_told(tmp_path: Path) -> None:
    grow(tmp_path, {FILE_NAME: b"no database" * 1_000})
    with FactsCache.open(folder=tmp_path) as cache:
        cache.known(ROOT)
        (note,) = cache.notes
        assert "started anew" in note


def test_a_record_whose_bytes_rotted_is_left_out(tmp_path: Path) -> None:
    kept = [record("a.py"), record("b.py")]
    save(tmp_path, kept)
    with sqlite3.connect(tmp_path / FILE_NAME) as connection:
        connection.execute("UPDATE record SET packed = ? WHERE path = 'a.py'", (pack(b"other"),))
    connection.close()
    with FactsCache.open(folder=tmp_path) as cache:
        assert sorted(cache.known(ROOT)) == [f"{ROOT}/b.py"]
        assert cache.get(kept[0].key) is None


def test_a_folder_that_cannot_be_made_costs_a_note(tmp_path: Path) -> None:
    grow(tmp_path, {"file": ""})
    with FactsCache.open(folder=tmp_path / "file" / "cache") as cache:
        assert cache.known(ROOT) == {}
        cache.save([record("a.py")], [], ROOT)
        (note,) = cache.notes
        assert "runs without" in note


def test_a_file_that_cannot_be_written_is_still_read(tmp_path: Path) -> None:
    kept = record("a.py")
    save(tmp_path, [kept])
    with sqlite3.connect(tmp_path / FILE_NAME) as connection:  # as a read-only file does, which root may write
        connection.execute("CREATE TRIGGER refuse BEFORE INSERT ON record BEGIN SELECT RAISE(ABORT, 'read-only'); END")
    connection.close()
    with FactsCache.open(folder=tmp_path) as cache:
        assert len(cache.known(ROOT)) == 1
        cache.save([record("b.py")], [], ROOT)
        (note,) = cache.notes
        assert "could not be written" in note
    with FactsCache.open(folder=tmp_path) as cache:
        assert len(cache.known(ROOT)) == 1


def test_a_cache_inside_the_audited_folder_is_not_used(tmp_path: Path) -> None:
    root = grow(tmp_path, {"a.py": ""})
    before = state_of(root)
    with FactsCache.open(folder=root / ".cache") as cache:
        assert cache.known(str(root)) == {}
        cache.save([record("a.py")], [], str(root))
        (note,) = cache.notes
        assert "EVENKEEL_CACHE_DIR" in note
    assert state_of(root) == before


def test_two_audits_at_once_lose_nothing(tmp_path: Path) -> None:
    start = threading.Barrier(4)

    def audit(number: int) -> None:
        start.wait()
        for turn in range(5):
            save(tmp_path, [record(f"{number}-{turn}-{each}.py") for each in range(20)])

    threads = [threading.Thread(target=audit, args=(number,)) for number in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    with FactsCache.open(folder=tmp_path) as cache:
        assert len(cache.known(ROOT)) == 4 * 5 * 20


def test_a_writer_that_never_ends_is_not_waited_for_forever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(tmp_path, [record("a.py")])
    monkeypatch.setattr(cache_module, "WAIT_S", 0.05)
    other = sqlite3.connect(tmp_path / FILE_NAME, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    with FactsCache.open(folder=tmp_path) as cache:
        assert cache.known(ROOT) == {}
        assert "locked" in cache.notes[0]
    other.close()
    with FactsCache.open(folder=tmp_path) as cache:
        assert len(cache.known(ROOT)) == 1


def test_above_the_limit_the_records_not_used_for_longest_go(tmp_path: Path) -> None:
    limit = 10 * len(pack(b"x" * 100))
    for number in range(12):
        kept = record(f"{number}.py", b"x" * 100)
        with FactsCache(tmp_path, limit, partial(float, NOW + number)) as cache:
            cache.known(ROOT)
            cache.save([kept], [seen(kept)], ROOT)
    with FactsCache(tmp_path, limit) as cache:
        left = sorted(int(Path(each).stem) for each in cache.known(ROOT))
    assert left == list(range(3, 12))  # the eleventh went over the limit: down to eight tenths, then one more came


def test_records_in_use_outlive_older_ones(tmp_path: Path) -> None:
    save(tmp_path, [record("old.py", b"x" * 100)], "/srv/used")
    save(tmp_path, [record("new.py", b"y" * 100)], "/srv/idle")
    later = time.time() + 2 * USED_AGAIN_S
    with FactsCache(tmp_path, 3 * len(pack(b"x" * 100)) - 1, lambda: later) as cache:
        cache.known("/srv/used")
        cache.save([record("more.py", b"z" * 100)], [], "/srv/used")
    with FactsCache(tmp_path) as cache:
        assert len(cache.known("/srv/used")) == 1
        assert cache.known("/srv/idle") == {}


def test_where_the_cache_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVENKEEL_CACHE_DIR", "/somewhere/else")
    assert cache_folder() == Path("/somewhere/else")
    monkeypatch.delenv("EVENKEEL_CACHE_DIR")
    assert cache_folder().name == "evenkeel"
