"""Bad trees: discovery answers, writes nothing, and says what it could not read."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import msgspec
import pytest

from evenkeel.audit.discovery import discover
from evenkeel.audit.discovery.catalogue import catalogue
from evenkeel.audit.discovery.factories import vocabulary
from evenkeel.audit.discovery.tree import is_aside, joined, walk
from evenkeel.audit.model.profile import Profile
from evenkeel.kernel.errors import UsageError
from tests.discovery.profiles import Project

SERVICE: dict[str, str | bytes] = {
    "pyproject.toml": '[project]\ndependencies = ["fastapi", "sqlalchemy", "asyncpg"]\n',
    "app/db.py": "from sqlalchemy import create_engine\nengine = create_engine(URL, pool_size=3)\n",
    "app/a.py": "import redis\n",
    "app/b.py": "import redis\n",
    "compose.yml": "services: {db: {image: 'postgres:16'}}\n",
    "migrations/001.sql": "CREATE TRIGGER t AFTER INSERT ON x FOR EACH ROW EXECUTE FUNCTION f();",
    "docs/adr/1-x.md": "# X\n",
}


def test_a_missing_path_and_a_file_are_usage_errors(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for path in (tmp_path / "missing", tmp_path / "file"):
        with pytest.raises(UsageError, match="is not a folder"):
            discover(path)


def test_an_empty_tree_gives_an_empty_profile(tmp_path: Path) -> None:
    assert discover(tmp_path) == Profile(root=str(tmp_path))


def test_the_same_tree_gives_the_same_bytes_in_any_order_of_creation(project: Project, tmp_path: Path) -> None:
    first = msgspec.json.encode(discover(project(SERVICE)))
    shutil.rmtree(tmp_path / "project")
    second = msgspec.json.encode(discover(project(dict(reversed(SERVICE.items())))))
    assert first == second
    assert msgspec.json.decode(first, type=Profile) == discover(tmp_path / "project")


def test_nothing_is_written_and_the_tree_may_be_read_only(project: Project) -> None:
    root = project(SERVICE)
    folders = [root, *(path for path in root.rglob("*") if path.is_dir())]
    before = {path: path.stat().st_mtime_ns for path in (*folders, *root.rglob("*"))}
    for folder in folders:
        folder.chmod(0o555)
    try:
        assert discover(root).technologies
        assert {path: path.stat().st_mtime_ns for path in (*folders, *root.rglob("*"))} == before
    finally:
        for folder in folders:
            folder.chmod(0o755)


def test_links_are_not_followed(project: Project, tmp_path: Path) -> None:
    root = project({"app/requirements.txt": "flask\n"})
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "requirements.txt").write_text("django\n")
    (root / "loop").symlink_to(root, target_is_directory=True)
    (root / "app" / "up").symlink_to("..", target_is_directory=True)
    (root / "away").symlink_to(tmp_path / "outside", target_is_directory=True)
    (root / "requirements.txt").symlink_to(tmp_path / "outside" / "requirements.txt")
    (root / "dangling.py").symlink_to("nowhere")
    profile = discover(root)
    assert [each.name for each in profile.technologies] == ["flask"]
    assert profile.notes == ()


def test_the_root_itself_may_be_a_link(project: Project, tmp_path: Path) -> None:
    root = project({"requirements.txt": "flask\n"})
    (tmp_path / "link").symlink_to(root, target_is_directory=True)
    assert discover(tmp_path / "link").root == str(root)


def test_pipes_and_sockets_are_not_opened(project: Project) -> None:
    root = project({"requirements.txt": "flask\n"})
    os.mkfifo(root / "pyproject.toml")
    assert [each.name for each in discover(root).technologies] == ["flask"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root can read everything")
def test_unreadable_files_and_folders_are_notes(project: Project) -> None:
    root = project({"requirements.txt": "flask\n", "locked/requirements.txt": "x\n", "pyproject.toml": "x = 1\n"})
    (root / "pyproject.toml").chmod(0)
    (root / "locked").chmod(0)
    try:
        profile = discover(root)
    finally:
        (root / "locked").chmod(0o755)
    assert [note.split(": ")[0] for note in profile.notes] == ["locked/", "pyproject.toml"]


def test_a_file_that_vanishes_after_the_walk_is_a_note(project: Project) -> None:
    tree = walk(project({"requirements.txt": "flask\n"}))
    (tree.root / "requirements.txt").unlink()
    assert tree.text("requirements.txt") == ""
    assert tree.notes == ["requirements.txt: could not be read (No such file or directory)"]


JUNK = (
    "pyproject.toml",
    "requirements.txt",
    "package.json",
    "go.mod",
    "Cargo.toml",
    "compose.yml",
    "uv.lock",
    "app/settings.py",
    "x/migrations/001.sql",
    "docs/tasks/kanban_board.md",
    "docs/project/tech_stack.md",
    "docs/adr/1-x.md",
)


@pytest.mark.parametrize("name", JUNK)
def test_binary_junk_under_any_name_raises_nothing(project: Project, name: str) -> None:
    profile = discover(project({name: bytes(range(256)) * 64, "other/requirements.txt": b"\x80\nflask\n\xff=\xfe\n"}))
    assert [each.name for each in profile.technologies if each.role == "web"] == ["flask"]


def test_a_manifest_of_many_megabytes_is_a_note(project: Project) -> None:
    profile = discover(project({"package.json": b" " * 2_000_000}))
    assert profile.notes == ("package.json: is larger than 1,000,000 bytes and was not read",)


def test_names_that_are_not_utf_8_are_left_out_with_a_note(project: Project) -> None:
    root = project({"requirements.txt": "flask\n"})
    (Path(os.fsdecode(os.fsencode(root) + b"/caf\xe9.py"))).write_text("import django\n")
    profile = discover(root)
    assert [each.name for each in profile.technologies] == ["flask"]
    assert profile.notes == (".: 1 names are not UTF-8 and were left out",)
    assert msgspec.json.encode(profile)


def test_deep_nesting_ends(tmp_path: Path) -> None:
    deep = tmp_path / "/".join(["d"] * 60)
    deep.mkdir(parents=True)
    (deep / "requirements.txt").write_text("flask\n")
    assert discover(tmp_path).technologies == ()


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("app/main.py", False),
        ("tests/main.py", True),
        ("app/test_main.py", True),
        ("app/main_test.go", True),
        ("web/main.spec.ts", True),
        ("app/contest.py", False),
        ("docs/conf.py", True),
        ("app/documents/x.py", False),
    ],
)
def test_what_stands_aside(path: str, expected: bool) -> None:
    assert is_aside(path) is expected


@pytest.mark.parametrize(
    ("folder", "name", "expected"),
    [
        ("a/b", "../c.txt", "a/c.txt"),
        ("", "./x", "x"),
        ("a", "../../x", None),
        ("a", "/b", "b"),
        ("a", "b//c/.", "a/b/c"),
    ],
)
def test_names_written_in_files(folder: str, name: str, expected: str | None) -> None:
    assert joined(folder, name) == expected


def test_the_catalogue_is_consistent() -> None:
    known = catalogue()
    for name, entry in known.entries.items():
        assert set(entry.implies) <= set(known.entries), name
        for key in ("python", "node", "rust", "go", "images", "schemes"):
            for value in getattr(entry, key):
                assert value == value.lower(), f"{name}: {value}"
    for key in ("modules", "node", "go", "rust", "images", "schemes", "engines"):
        listed = [value for entry in known.entries.values() for value in getattr(entry, key)]
        assert len(listed) == len(set(listed)), f"a value of {key} stands twice"


def test_implications_end() -> None:
    entries = catalogue().entries

    def depth(name: str, above: tuple[str, ...]) -> int:
        assert name not in above, f"{name} implies itself"
        return 1 + max((depth(each, (*above, name)) for each in entries[name].implies), default=0)

    assert max(depth(name, ()) for name in entries) <= 5


def test_the_vocabulary_is_consistent() -> None:
    known = vocabulary()
    assert set(known.telling) <= known.settings
    assert not set(known.factories) & known.settings
