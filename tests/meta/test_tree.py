"""What holds for every file in git: its length, its name, and that it gives away no machine."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LONGEST = 300
LONG_ON_PURPOSE: dict[str, str] = {  # file: why it has more lines than LONGEST
    "src/evenkeel/audit/effects/catalogue.py": "the contract of the data files, kept in one page",
    "tests/source/ast_facts.py": "the second reader that the first is compared with: one class, best read in one go",
    "src/evenkeel/audit/rules/runtime_performance/sequential_await_loop.py": "its page with examples is half of it",
    "src/evenkeel/audit/rules/query_efficiency/n_plus_one.py": "its page with examples is half of it",
}
VAGUE = {"utils", "util", "helpers", "helper", "common", "misc", "core", "manager", "managers"}
REGISTRIES = ("pypi" + ".org", "pythonhosted" + ".org", "npmjs" + ".org", "goproxy" + ".io")
MACHINE = re.compile(r"(?<![\w.])/(?:work|root|tmp)/|/opt/" + "wheels")

# `(...)*+`, `(...){2,}+`, `(?>...)`: possessive and atomic groups. Runs of one character (`[^"]*+`) are read well.
SEALED_GROUP = re.compile(r"(?<!\\)\)(?:[*+?]|\{[\d,]+\})\+|\(\?>")


def tracked() -> list[Path]:
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listing = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [ROOT / name for name in listing.split("\0") if name and (ROOT / name).is_file()]


TRACKED = tracked()
PYTHON = [path for path in TRACKED if path.suffix == ".py"]


def inside(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")


def test_there_are_files_to_look_at() -> None:
    assert len(PYTHON) > 50
    assert ROOT / "README.md" in TRACKED


def test_files_are_short() -> None:
    long = {inside(path) for path in PYTHON if text(path).count("\n") > LONGEST}
    assert long <= LONG_ON_PURPOSE.keys()


def test_rooms_have_telling_names() -> None:
    vague = [inside(path) for path in PYTHON if VAGUE & {path.stem, path.parent.name}]
    assert vague == []


@pytest.mark.parametrize("registry", REGISTRIES)
def test_no_registry_is_named(registry: str) -> None:
    assert [inside(path) for path in TRACKED if registry in text(path)] == []


def test_no_path_of_a_machine_is_named() -> None:
    outside_tests = [path for path in TRACKED if not inside(path).startswith("tests/")]
    assert [inside(path) for path in outside_tests if MACHINE.search(text(path))] == []


@pytest.mark.parametrize(
    ("pattern", "sealed"),
    [
        (r"(a|b)*+", True),
        (r"(a){2,}+", True),
        ("(?" + ">a)", True),
        (r'"[^"]*+"', False),
        (r"(a\))*", False),
        (r"\)?+", False),
    ],
)
def test_a_sealed_group_is_known(pattern: str, sealed: bool) -> None:
    assert bool(SEALED_GROUP.search(pattern)) is sealed


def test_no_regular_expression_seals_a_group() -> None:
    """Python 3.11.0 to 3.11.4 matches possessive and atomic groups wrongly (gh-106052), and Debian 12 ships 3.11.2."""
    ours = [path for path in TRACKED if inside(path).startswith(("src/", "tools/")) and path.suffix in {".py", ".toml"}]
    assert [(inside(path), found.group()) for path in ours for found in SEALED_GROUP.finditer(text(path))] == []


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-dev.lock"])
def test_every_pin_has_hashes_and_no_address(lock: str) -> None:
    content = text(ROOT / lock)
    pins = re.split(r"\n(?=\S)", content.strip())
    assert len(pins) > 10
    assert [pin for pin in pins if not re.match(r"[a-z0-9.-]+(\[[a-z,]+\])?==\S+.*\\\n", pin)] == []
    assert [pin for pin in pins if "--hash=sha256:" not in pin] == []
    assert "://" not in content


def test_the_locks_agree_and_hold_every_dependency() -> None:
    base, dev = (pins(name) for name in ("requirements.lock", "requirements-dev.lock"))
    assert {name: dev.get(name) for name in base} == base
    project = tomllib.loads(text(ROOT / "pyproject.toml"))["project"]
    assert {name_of(each) for each in project["dependencies"]} <= base.keys()
    extras = {name_of(each) for extra in project["optional-dependencies"].values() for each in extra}
    assert extras - {"evenkeel"} <= dev.keys()


def pins(lock: str) -> dict[str, str]:
    return dict(re.findall(r"^([a-z0-9.-]+)(?:\[[a-z,]+\])?==(\S+)", text(ROOT / lock), re.MULTILINE))


def name_of(requirement: str) -> str:
    return re.split(r"[^A-Za-z0-9._-]", requirement)[0].lower().replace("_", "-")
