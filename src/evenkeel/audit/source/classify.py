"""What a file is for, judged by its path relative to the audited root alone, so that a tree may lie anywhere.

`code` runs in the backend; `migration` and `script` run once and are judged so; `test`, `example`, `generated` and
`vendored` are never judged. A folder's kind holds for everything below it.
"""

from __future__ import annotations

import re
from typing import Literal

FileKind = Literal["code", "test", "example", "generated", "vendored", "migration", "script"]

TEST_FOLDER = re.compile(
    r"tests?|testing|testdata|fixtures?|__tests__|e2e[_-]?(?:tests?)?|.*[_-]tests?|tests?[_-].*", re.IGNORECASE
)
EXAMPLE_FOLDER = re.compile(r"examples?|samples?|demos|benchmarks?|bench|docs?|documentation|tutorials?|cookbook")
VENDORED_FOLDER = re.compile(r"_?vendor|_?vendored|third[_-]?party|extern|externals")
MIGRATION_FOLDER = re.compile(r"(?:.*[_-])?migrations|alembic")
# What the folder of a migration tool holds; a `migrations` without any is about something else (moving users, say).
MIGRATION_MARK = re.compile(
    r"versions|env\.py|script\.py\.mako|(?:[Vv]|migration_?)?\d+.*\.(?:py|sql)|[0-9a-f]{8,}_.*\.py"
)
MIGRATION_HOME = frozenset(["env.py", "versions"])  # what Alembic sets up, wherever it was told to
SCRIPT_FOLDER = re.compile(r"scripts|bin|cli|commands")
# `tools` and `script` are scripts at the top of a repository; inside a package they are domain words (agent tools).
TOP_SCRIPT_FOLDER = re.compile(r"tools?|script|ci|devtools|utilities|hack")
# Words that also name what a backend deals in: a shop's vendors, a league's fixtures, a laboratory's samples, recipes.
DOMAIN_FOLDERS = frozenset(
    {"vendor", "fixture", "fixtures", "sample", "samples", "doc", "docs", "benchmark", "benchmarks"}
    | {"cookbook", "tutorial", "tutorials", "documentation"}
)
DOMAIN_FILES = frozenset(
    [
        "models.py",
        "model.py",
        "views.py",
        "service.py",
        "services.py",
        "router.py",
        "routers.py",
        "routes.py",
        "endpoints.py",
        "schemas.py",
        "api.py",
        "crud.py",
        "repository.py",
        "admin.py",
        "urls.py",
        "handlers.py",
    ]
)
TEST_FILE = re.compile(
    r"test_.*\.py|.*_tests?\.py|tests?\.py|conftest\.py|testing\.py|pytest_\w+\.py|\w+_pytest\.py|.*[._](?:test|spec)\.[cm]?[jt]sx?|.*_test\.go"
)
GENERATED_FILE = re.compile(r".*_pb2(?:_grpc)?\.pyi?|.*_pb\.[jt]s|.*\.pb\.go|.*\.gen\.(?:go|ts)|.*\.generated\.[jt]s")
SCRIPT_FILES = frozenset(["manage.py", "setup.py", "noxfile.py", "fabfile.py", "cli.py", "__main__.py"])

COMMENTS_BYTES = 2_000  # of a file's head that are searched for a generator's notice
HEAD = re.compile(rb"(?:[ \t]*(?:#|//|/?\*)[^\n]*\n|[ \t\r]*\n)+")
NOTICE = re.compile(
    rb"@generated\b|\bDO NOT (?:EDIT|MODIFY)\b|(?i:do not edit(?: this file| manually| by hand)?[.!]?\s*$"
    rb"|^[ \t]*(?:#|//|/?\*)+[ \t]*(?:(?:this|the) (?:file|code|module) (?:is|was|has been) )?(?:code )?"
    rb"(?:auto-?|automatically[ -])?generated (?:by|with|from|using|at|file|code)\b)",
    re.MULTILINE,
)


def folder_kind(parent: FileKind, name: str, depth: int, names: frozenset[str]) -> FileKind:
    """The kind of a folder: `parent` is that of the one around it, `depth` is 0 at the root, `names` are in it."""
    if parent in {"test", "example", "generated", "vendored"}:
        return parent
    if name in DOMAIN_FOLDERS and not names.isdisjoint(DOMAIN_FILES):
        return parent
    for pattern, kind in _BY_FOLDER:
        if pattern.fullmatch(name):
            return kind
    if MIGRATION_FOLDER.fullmatch(name) and (name == "alembic" or any(map(MIGRATION_MARK.fullmatch, names))):
        return "migration"
    if names >= MIGRATION_HOME:
        return "migration"
    if parent == "code" and (SCRIPT_FOLDER.fullmatch(name) or (depth == 0 and TOP_SCRIPT_FOLDER.fullmatch(name))):
        return "script"
    return parent


_BY_FOLDER: tuple[tuple[re.Pattern[str], FileKind], ...] = (
    (VENDORED_FOLDER, "vendored"),
    (TEST_FOLDER, "test"),
    (EXAMPLE_FOLDER, "example"),
)


def file_kind(folder: FileKind, name: str) -> FileKind:
    """The kind of a file in a folder of that kind."""
    if folder in {"test", "example", "generated", "vendored"}:
        return folder
    if TEST_FILE.fullmatch(name):
        return "test"
    if GENERATED_FILE.fullmatch(name):
        return "generated"
    if folder == "code" and name == "migrations.py":
        return "migration"
    return "script" if folder == "code" and name in SCRIPT_FILES else folder


def is_generated(source: bytes) -> bool:
    """Whether the comments at the top of a file say that a tool wrote it."""
    head = HEAD.match(source, 0, COMMENTS_BYTES)
    return head is not None and NOTICE.search(head[0]) is not None
