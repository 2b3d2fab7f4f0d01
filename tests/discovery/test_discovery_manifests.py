"""Technologies and versions from manifests, each with its file and line."""

from __future__ import annotations

import pytest

from evenkeel.audit.discovery import discover
from evenkeel.audit.model.profile import Source
from tests.discovery.profiles import Project, found, places


def test_pep_621_project_with_extras_and_groups(project: Project) -> None:
    root = project(
        {
            "pyproject.toml": """\
[project]
name = "berths"
requires-python = ">=3.11"
dependencies = [
  "fastapi>=0.115,<1",
  "SQLAlchemy[asyncio] ~= 2.0 ; python_version > '3.8'",
]
[project.optional-dependencies]
queue = ["celery[redis]==5.4.0"]
[dependency-groups]
dev = ["aiosqlite>=0.20", {include-group = "x"}]
"""
        }
    )
    profile = discover(root)
    assert found(profile, "fastapi").version == ">=0.115,<1"
    assert places(found(profile, "fastapi")) == [("pyproject.toml", 5)]
    assert found(profile, "sqlalchemy").version == "~=2.0"
    assert places(found(profile, "sqlalchemy")) == [("pyproject.toml", 6)]
    assert found(profile, "celery").version == "5.4.0"
    assert ("pyproject.toml", 9) in places(found(profile, "redis"))
    assert places(found(profile, "aiosqlite")) == [("pyproject.toml", 11)]
    assert found(profile, "python").version == ">=3.11"
    assert found(profile, "asyncio").role == "async"
    assert not profile.notes


def test_poetry_groups_optional_packages_and_the_python_line(project: Project) -> None:
    root = project(
        {
            "pyproject.toml": """\
[tool.poetry.dependencies]
python = "^3.12"
django = {version = "^5.1", extras = ["argon2"]}
psycopg2-binary = {version = "^2.9", optional = true}
[tool.poetry.group.dev.dependencies]
mysqlclient = "*"
"""
        }
    )
    profile = discover(root)
    assert found(profile, "django").version == "^5.1"
    assert places(found(profile, "django")) == [("pyproject.toml", 3)]
    assert found(profile, "python").version == "^3.12"
    assert found(profile, "mysqlclient").version == ""
    databases = [each.name for each in profile.technologies if each.role == "database"]
    assert databases == ["postgresql", "mysql"], "an optional driver outweighs a developer's"
    assert found(profile, "django-orm").sources[0].says == "implied by django"


@pytest.mark.parametrize(
    ("table", "line"),
    [
        ('[tool.pdm.dev-dependencies]\ntest = ["tortoise-orm>=0.21"]\n', 2),
        ('[tool.uv]\ndev-dependencies = ["tortoise-orm>=0.21"]\n', 2),
        ('[tool.hatch.envs.default]\ndependencies = ["tortoise-orm>=0.21"]\n', 2),
    ],
)
def test_pdm_uv_and_hatch_groups(project: Project, table: str, line: int) -> None:
    profile = discover(project({"pyproject.toml": table}))
    assert found(profile, "tortoise").version == ">=0.21"
    assert places(found(profile, "tortoise")) == [("pyproject.toml", line)]


def test_requirements_with_includes_hashes_markers_urls_and_comments(project: Project) -> None:
    root = project(
        {
            "requirements.txt": """\
# flask is not used
-r deps/base.txt
-c constraints.txt
fastapi==0.110.0 \\
    --hash=sha256:aaaa \\
    --hash=sha256:bbbb
asyncpg>=0.29 ; sys_platform != "win32"  # driver
redis @ https://files.example/redis-5.0.1.tar.gz
git+https://git.example/peewee.git#egg=peewee
https://files.example/wheels/aiohttp-3.9.1-py3-none-any.whl
""",
            "deps/base.txt": "-r ../requirements.txt\ndramatiq\n",
            "constraints.txt": "dramatiq==1.17.0\nceleryx==1\n",
            "requirements-dev.txt": "motor==3.6.0\n",
        }
    )
    profile = discover(root)
    assert profile.technology("flask") is None
    assert found(profile, "fastapi").version == "0.110.0"
    assert places(found(profile, "fastapi"))[0] == ("requirements.txt", 4)
    assert found(profile, "asyncpg").version == ">=0.29"
    assert found(profile, "dramatiq").version == "1.17.0"
    assert ("deps/base.txt", 2) in places(found(profile, "dramatiq"))
    assert found(profile, "peewee").sources
    assert found(profile, "aiohttp").version == "3.9.1"
    assert profile.technology("redis") is not None
    databases = [each.name for each in profile.technologies if each.role == "database"]
    assert databases == ["postgresql", "mongodb"]


def test_requirements_saved_as_utf_16_by_a_windows_shell(project: Project) -> None:
    profile = discover(project({"requirements.txt": "fastapi==0.115.6\r\nsqlmodel\r\n".encode("utf-16")}))
    assert found(profile, "fastapi").version == "0.115.6"
    assert found(profile, "sqlmodel").sources == (Source("requirements.txt", 2),)


def test_pipfile_setup_cfg_and_setup_py(project: Project) -> None:
    root = project(
        {
            "Pipfile": '[packages]\nflask = "*"\n[dev-packages]\npymysql = ">=1"\n'
            '[requires]\npython_version = "3.12"\n',
            "worker/setup.cfg": "[options]\npython_requires = >=3.10\ninstall_requires =\n"
            "    litestar>=2\n    piccolo\n",
            "legacy/setup.py": """\
from setuptools import setup
setup(name="x", install_requires=["tornado>=6,<7", 'gino'], extras_require={"q": ["rq"]}, python_requires=">=3.8")
""",
        }
    )
    profile = discover(root)
    assert places(found(profile, "flask")) == [("Pipfile", 2)]
    assert found(profile, "pymysql").version == ">=1"
    assert found(profile, "litestar").sources == (Source("worker/setup.cfg", 4, ">=2"),)
    assert found(profile, "tornado").version == ">=6,<7"
    assert found(profile, "rq").sources == (Source("legacy/setup.py", 2),)
    assert [each.says for each in found(profile, "python").sources[:3]] == ["3.12", ">=3.8", ">=3.10"]


def test_package_json_go_mod_and_cargo_toml(project: Project) -> None:
    root = project(
        {
            "web/package.json": """\
{"name": "web",
 "dependencies": {
  "express": "^5.0.0",
  "pg": "8.x"},
 "devDependencies": {"typescript": "5", "knex": "3"}}
""",
            "gate/go.mod": """\
module harbour.example/gate

go 1.23.1

require (
	github.com/gin-gonic/gin v1.10.0
	github.com/jackc/pgx/v5 v5.7.1 // fast
	gorm.io/gorm v1.25.0 // indirect
)
require github.com/redis/go-redis/v9 v9.7.0
""",
            "lock/Cargo.toml": """\
[package]
name = "lock"
rust-version = "1.80"
[dependencies]
sqlx = { workspace = true, features = ["postgres", "runtime-tokio-rustls"] }
http = { package = "axum", version = "0.7" }
[dev-dependencies]
diesel = "2"
""",
            "Cargo.toml": '[workspace]\nmembers = ["lock"]\n[workspace.dependencies]\nsqlx = { version = "0.8" }\n',
        }
    )
    profile = discover(root)
    assert places(found(profile, "express")) == [("web/package.json", 3)]
    assert found(profile, "typescript").role == "language"
    assert found(profile, "gin").version == "1.10.0"
    assert found(profile, "pgx").sources == (Source("gate/go.mod", 7, "5.7.1"),)
    assert profile.technology("gorm") is None, "an indirect module is not the project's own choice"
    assert found(profile, "redis").version == "9.7.0"
    assert found(profile, "go").version == "1.23.1"
    assert found(profile, "sqlx").version == "0.8"
    assert ("lock/Cargo.toml", 5) in places(found(profile, "sqlx"))
    assert found(profile, "axum").version == "0.7"
    assert found(profile, "tokio").role == "async"
    assert found(profile, "rust").version == "1.80"
    assert profile.first("database") == found(profile, "postgresql")


BROKEN = {
    "pyproject.toml": "[project\nname = ",
    "Pipfile": "= = =",
    "setup.cfg": "no section\n[options",
    "package.json": '{"dependencies": ',
    "go.mod": "require nothing",
    "Cargo.toml": "[dependencies]\nx = {",
    "docker-compose.yml": "services:\n  db: [unclosed\n\t- x",
    "Pipfile.lock": "{]",
    "alembic.ini": "no = section",
    ".hex-skills/environment_state.json": "{",
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_is_a_note_and_the_others_count(project: Project, name: str) -> None:
    profile = discover(project({name: BROKEN[name], "service/requirements.txt": "flask==3.1.0\n"}))
    assert found(profile, "flask").version == "3.1.0"
    assert [note for note in profile.notes if note.startswith(f"{name}: ")], profile.notes


@pytest.mark.parametrize("text", ["[]", "3", '"x"', "null", '{"dependencies": [1], "devDependencies": null}'])
def test_a_package_json_of_an_unexpected_shape_is_ignored(project: Project, text: str) -> None:
    profile = discover(project({"package.json": text}))
    assert [each.role for each in profile.technologies if each.role != "language"] == []


@pytest.mark.parametrize(
    "text",
    [
        "[project]\ndependencies = 3\n",
        "[project]\ndependencies = [1, {a = 2}, '']\noptional-dependencies = []\n",
        "[tool.poetry]\ndependencies = [1]\ngroup = 3\n",
        "[tool.poetry.dependencies]\nfastapi = [{version = '1', python = '<3.9'}, {version = '2'}]\nx = []\n",
        "project = 1\ntool = 2\n",
        "[dependency-groups]\ndev = 1\n[tool.hatch]\nenvs = 1\n",
    ],
)
def test_a_pyproject_of_an_unexpected_shape_raises_nothing(project: Project, text: str) -> None:
    assert discover(project({"pyproject.toml": text})).root


def test_manifests_of_tests_examples_and_other_peoples_folders_do_not_count(project: Project) -> None:
    aside = ["examples/x", "tests/app", "node_modules/y", ".venv/lib", "env", "third_party/z"]
    files = {f"{folder}/requirements.txt": "flask\n" for folder in aside}
    profile = discover(project({**files, "env/pyvenv.cfg": "home = /x\n", "app/requirements.txt": "sanic\n"}))
    assert [each.name for each in profile.technologies] == ["sanic", "asyncio"]
