"""Exact versions from lock files."""

from __future__ import annotations

import pytest

from evenkeel.audit.discovery import discover
from evenkeel.audit.model.profile import Source
from tests.discovery.profiles import Project, found

LOCKS = {
    "poetry.lock": '[[package]]\nname = "fastapi"\nversion = "0.110.3"\n\n[[package]]\nname = "redis"\nversion = "5"\n',
    "uv.lock": 'version = 1\n\n[[package]]\nname = "fastapi"\nversion = "0.110.3"\nsource = { registry = "x" }\n',
    "pdm.lock": '[[package]]\nname = "fastapi"\nversion = "0.110.3"\nrequires_python = ">=3.8"\n',
    "Pipfile.lock": '{"_meta": {}, "default": {"fastapi": {"hashes": [], "version": "==0.110.3"}}, "develop": {}}',
}


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_file_gives_the_exact_version(project: Project, lock: str) -> None:
    root = project({"pyproject.toml": '[project]\ndependencies = ["fastapi>=0.100"]\n', lock: LOCKS[lock]})
    profile = discover(root)
    assert found(profile, "fastapi").version == "0.110.3"
    assert found(profile, "fastapi").release == (0, 110, 3)
    line = LOCKS[lock][: LOCKS[lock].index("0.110.3")].count("\n") + 1
    assert found(profile, "fastapi").sources[0] == Source(lock, line, "0.110.3")
    assert {each.says for each in found(profile, "fastapi").sources} == {"0.110.3", ">=0.100"}
    assert profile.technology("redis") is None, "what only a lock file names is somebody else's dependency"


def test_a_companion_package_shows_a_technology_but_not_its_version(project: Project) -> None:
    """TRAP: the version of django-rq is not the version of rq."""
    root = project(
        {
            "requirements.txt": "django-rq==4.1.1\nrq==2.10.0\ndjango-redis==7.0.0\n",
            "uv.lock": '[[package]]\nname = "django-rq"\nversion = "4.1.1"\n',
        }
    )
    profile = discover(root)
    assert found(profile, "rq").version == "2.10.0"
    assert found(profile, "redis").version == ""
    assert found(profile, "redis").sources == (Source("requirements.txt", 3, "django-redis 7.0.0"),)


def test_the_lock_beside_a_manifest_governs_it(project: Project) -> None:
    entry = '[[package]]\nname = "fastapi"\nversion = "{}"\n'
    root = project(
        {
            "services/api/pyproject.toml": '[project]\ndependencies = ["fastapi"]\n',
            "services/api/uv.lock": entry.format("0.118.0"),
            "tools/uv.lock": entry.format("0.99.0"),
            "uv.lock": entry.format("0.105.0"),
        }
    )
    assert found(discover(root), "fastapi").version == "0.118.0"
