from __future__ import annotations

import os
from pathlib import Path

import pytest

from evenkeel.audit.source.ignore import compiled, ignored
from evenkeel.audit.source.walk import MAX_BYTES, Walked, walk
from evenkeel.kernel.errors import UsageError
from tests.source.trees import grow, state_of


def paths(walked: Walked) -> list[str]:
    return [each.path for each in walked.files]


def test_files_are_told_with_what_reading_them_needs(tmp_path: Path) -> None:
    root = grow(
        tmp_path, {"app/__init__.py": "", "app/db/models.py": "x = 1\n", "README.md": "", "b.PY": "", "c.pyw": ""}
    )
    before = state_of(root)
    walked = walk(root)
    assert paths(walked) == ["app/__init__.py", "app/db/models.py", "b.PY", "c.pyw"]
    models = walked.files[1]
    assert models.absolute == str(root / "app/db/models.py")
    assert (models.kind, models.language, models.module, models.size) == ("code", "python", "app.db.models", 6)
    assert models.mtime_ns == (root / "app/db/models.py").stat().st_mtime_ns
    assert walked.gaps == ()
    assert state_of(root) == before


def test_a_walk_gives_the_same_each_time(tmp_path: Path) -> None:
    root = grow(tmp_path, {f"p{each % 7}/m{each}.py": "import p1.m1\n" for each in range(50)})
    assert walk(root) == walk(root)


@pytest.mark.parametrize("name", ["missing", "file.py"])
def test_a_root_that_is_no_folder_is_refused(tmp_path: Path, name: str) -> None:
    grow(tmp_path, {"file.py": ""})
    with pytest.raises(UsageError, match=name) as caught:
        walk(tmp_path / name)
    assert caught.value.hint


def test_an_empty_root(tmp_path: Path) -> None:
    assert walk(tmp_path).files == ()


def test_what_others_wrote_or_tools_made_is_not_entered(tmp_path: Path) -> None:
    root = grow(tmp_path, {
        "app/a.py": "", "node_modules/x/a.py": "", "venv/lib/a.py": "", ".venv/a.py": "", "env/pyvenv.cfg": "",
        "env/lib/a.py": "", ".git/hooks/a.py": "", "app/__pycache__/a.py": "", "lib/site-packages/a.py": "",
        "build/lib/a.py": "", "dist/a.py": "", ".tox/a.py": "", "app.egg-info/a.py": "", "cache/CACHEDIR.TAG": "",
        "cache/a.py": "", "app/build/__init__.py": "", "app/build/b.py": "",
    })  # fmt: skip
    assert paths(walk(root)) == ["app/a.py", "app/build/__init__.py", "app/build/b.py"]


def test_where_the_root_lies_does_not_count(tmp_path: Path) -> None:
    root = grow(tmp_path / "examples/tests/node_modules/vendor", {"app/a.py": ""})
    assert [(each.path, each.kind) for each in walk(root).files] == [("app/a.py", "code")]


def test_gitignore(tmp_path: Path) -> None:
    root = grow(tmp_path, {
        ".gitignore": "*.log\ndata/\n/local.py\n!keep/data/\ngen_*.py\n# comment\n\n!\ndocs/**/draft.py\n",
        "a.py": "", "local.py": "", "app/local.py": "", "data/a.py": "", "app/data/b.py": "", "keep/data/c.py": "",
        "gen_a.py": "", "app/gen_b.py": "", "app/.gitignore": "!gen_b.py\nsecret.py\n", "app/secret.py": "",
        "secret.py": "", "docs/x/y/draft.py": "", "docs/draft.py": "",
    })  # fmt: skip
    assert paths(walk(root)) == ["a.py", "app/gen_b.py", "app/local.py", "keep/data/c.py", "secret.py"]


def test_exclude_patterns_beat_what_gitignore_takes_back(tmp_path: Path) -> None:
    root = grow(tmp_path, {".gitignore": "!b.py\n", "a.py": "", "b.py": "", "app/b.py": "", "old/c.py": ""})
    assert paths(walk(root, exclude=["b.py", "old/"])) == ["a.py"]


def test_a_tree_whose_every_file_is_ignored_says_so(tmp_path: Path) -> None:
    root = grow(tmp_path, {".gitignore": "*.py\n", "a.py": "", "b.py": ""})
    walked = walk(root)
    assert walked.files == ()
    (gap,) = walked.gaps
    assert (gap.kind, gap.count) == ("skipped", 2)
    assert "exclude" in gap.why


@pytest.mark.parametrize(
    ("patterns", "path", "left_out"),
    [
        (["*.py"], "a/b.py", True),
        (["build/"], "a/build/", True),
        (["build/"], "a/build", False),
        (["/build"], "a/build", False),
        (["a/b.py"], "a/b.py", True),
        (["a/b.py"], "c/a/b.py", False),
        (["**/b.py"], "c/a/b.py", True),
        (["[ab].py", "!b.py"], "b.py", False),
        (["!b.py", "[ab].py"], "b.py", True),
        (["b?.py"], "bc.py", True),
        (["\\!b.py"], "!b.py", True),
        (["b.py "], "b.py", True),
        ([], "b.py", False),
    ],
)
def test_patterns_mean_what_git_means(patterns: list[str], path: str, left_out: bool) -> None:
    found = compiled(patterns)
    name = path.rstrip("/").rpartition("/")[2] + ("/" if path.endswith("/") else "")
    assert ignored((found,) if found else (), path, name) is left_out


def test_links_that_loop_or_lead_out_end(tmp_path: Path) -> None:
    outside = grow(tmp_path / "outside", {"x.py": ""})
    root = grow(tmp_path / "root", {"app/a.py": ""})
    (root / "app/loop").symlink_to(root)
    (root / "app/same.py").symlink_to(root / "app/a.py")
    (root / "lib").symlink_to(outside)
    (root / "x.py").symlink_to(outside / "x.py")
    (root / "node_modules").symlink_to(outside)
    (root / "gone.py").symlink_to("nowhere")
    (root / "self.py").symlink_to("self.py")
    walked = walk(root)
    assert paths(walked) == ["app/a.py"]
    assert [(each.kind, each.what) for each in walked.gaps] == [("skipped", "lib"), ("skipped", "x.py")]


def test_a_root_that_is_a_link_is_followed(tmp_path: Path) -> None:
    root = grow(tmp_path / "root", {"a.py": ""})
    (tmp_path / "link").symlink_to(root)
    assert paths(walk(tmp_path / "link")) == ["a.py"]


def test_a_huge_file_is_a_gap_with_its_size(tmp_path: Path) -> None:
    root = grow(
        tmp_path, {"app/data.py": b"x = 1\n" * (MAX_BYTES // 6 + 1), "app/a.py": "", "tests/big.py": b"#" * 3_000_000}
    )
    walked = walk(root)
    assert paths(walked) == ["app/a.py"]
    (gap,) = walked.gaps
    assert (gap.kind, gap.what) == ("skipped", "app/data.py")
    assert "2.0 MB" in gap.why


def test_an_unreadable_folder_is_a_gap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = grow(tmp_path, {"app/a.py": "", "secret/b.py": ""})
    if os.geteuid() == 0:  # permission bits do not bind root: let the system call fail instead
        listing = os.scandir

        def refuse(path: str) -> object:
            if str(path).rstrip("/").endswith("secret"):
                raise PermissionError(13, "Permission denied")
            return listing(path)

        monkeypatch.setattr(os, "scandir", refuse)
    else:
        (root / "secret").chmod(0)
    walked = walk(root)
    (root / "secret").chmod(0o755)
    assert paths(walked) == ["app/a.py"]
    assert [(each.kind, each.what) for each in walked.gaps] == [("unreadable", "secret/")]


def test_names_that_are_not_utf8_are_gaps(tmp_path: Path) -> None:
    root = grow(tmp_path, {"a.py": ""})
    try:
        (root / os.fsdecode(b"caf\xe9.py")).write_text("")
        (root / os.fsdecode(b"d\xff")).mkdir()
    except OSError:
        pytest.skip("this file system takes only UTF-8 names")
    walked = walk(root)
    assert paths(walked) == ["a.py"]
    assert [each.kind for each in walked.gaps] == ["unreadable", "unreadable"]
    for each in walked.gaps:
        each.what.encode()


def test_names_in_any_script_are_fine(tmp_path: Path) -> None:
    assert paths(walk(grow(tmp_path, {"служба/订单.py": ""}))) == ["служба/订单.py"]


def test_pipes_and_devices_are_not_opened(tmp_path: Path) -> None:
    root = grow(tmp_path, {"a.py": ""})
    os.mkfifo(root / "pipe.py")
    assert paths(walk(root)) == ["a.py"]


def test_backends_in_languages_without_a_front_end_are_counted(tmp_path: Path) -> None:
    root = grow(tmp_path, {
        "app/a.py": "", "core/a.rs": "", "core/b.rs": "", "api/main.go": "", "api/main_test.go": "", "srv/a.ts": "",
        "srv/a.d.ts": "", "frontend/app.tsx": "", "static/x.js": "", "vite.config.js": "", "tests/t.rs": "",
    })  # fmt: skip
    gaps = {each.what: each.count for each in walk(root).gaps}
    assert gaps == {"go": 1, "rust": 2, "typescript": 1}


def test_a_deep_tree_is_walked(tmp_path: Path) -> None:
    deep = "/".join(["d"] * 300)
    assert len(paths(walk(grow(tmp_path, {f"{deep}/a.py": ""})))) == 1
