"""Databases, queues and copies from compose and environment files; which evidence wins."""

from __future__ import annotations

import pytest

from evenkeel.audit.discovery import discover
from evenkeel.audit.discovery.compose import image_technology
from evenkeel.audit.model.profile import Setting, Source
from tests.discovery.profiles import Project

COMPOSE = """\
x-base: &base
  image: ${REGISTRY:-registry.example:5000}/library/postgres:${PG:-16-alpine}
  environment: &env
    DATABASE_URL: postgresql+asyncpg://app:secret@db/app
services:
  db:
    <<: *base
  replica:
    <<: [*base]
    image: postgres:15
  broker:
    image: "rabbitmq:3-management"
  worker:
    build: .
    command: ["uvicorn", "app:app", "--workers", "4"]
    environment:
      - REDIS_URL=redis://cache:6379/0
    deploy:
      replicas: 3
"""


@pytest.mark.parametrize("name", ["docker-compose.yml", "compose.yaml", "deploy/docker-compose.prod.yaml"])
def test_services_with_anchors_merge_keys_and_defaults(project: Project, name: str) -> None:
    profile = discover(project({name: COMPOSE}))
    postgres = profile.technology("postgresql")
    assert postgres is not None
    assert postgres.version == "16-alpine"
    assert postgres.sources[0] == Source(name, 2, "16-alpine")
    assert Source(name, 10, "15") in postgres.sources
    roles = {each.name: each.role for each in profile.technologies}
    assert roles["rabbitmq"] == "queue"
    assert roles["redis"] == "cache"
    assert roles["asyncpg"] == "driver"
    assert set(profile.settings) == {
        Setting("workers", "4", Source(name, 15), call="worker"),
        Setting("replicas", "3", Source(name, 19), call="worker"),
    }
    assert "secret" not in repr(profile)


def test_an_alias_bomb_and_a_circle_end(project: Project) -> None:
    levels = "\n".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 25))
    bomb = f"a0: &a0 [x, x]\n{levels}\nservices:\n  db: {{image: 'mysql:8.4', environment: *a24}}\n"
    circle = "services: &s\n  <<: *s\n  db: {image: mariadb}\n"
    profile = discover(project({"compose.yml": bomb, "other/compose.yml": circle}))
    assert profile.technology("mysql") is not None


@pytest.mark.parametrize(
    "text", ["", "[]", "services:", "services: 3", "services: {db: }", "services: {db: {image: [x]}}"]
)
def test_a_compose_file_without_services_says_nothing(project: Project, text: str) -> None:
    profile = discover(project({"compose.yml": text}))
    assert (profile.technologies, profile.notes) == ((), ())


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ("postgres", ("postgresql", "")),
        ("postgis/postgis:16-3.4@sha256:abc", ("postgresql", "16-3.4")),
        ("bitnami/postgresql:15", ("postgresql", "15")),
        ("ghcr.io:443/acme/mysql:8", ("mysql", "8")),
        ("$IMAGE", None),
        ("acme/app:1", None),
    ],
)
def test_image_references(reference: str, expected: tuple[str, str] | None) -> None:
    assert image_technology(reference) == expected


def test_environment_examples_and_ini_files_name_the_database(project: Project) -> None:
    root = project(
        {
            ".env.example": "# DATABASE_URL=mysql://old\nDATABASE_URL=postgresql+psycopg2://u:p@h/d\nDB_ENGINE=sqlite\n",
            "alembic.ini": "[alembic]\nscript_location = db\nsqlalchemy.url = driver://user:pass@localhost/dbname\n",
        }
    )
    profile = discover(root)
    assert {each.name for each in profile.technologies} == {"postgresql", "psycopg2", "sqlite"}
    postgres = profile.technology("postgresql")
    assert postgres is not None
    assert postgres.sources[0] == Source(".env.example", 2)


def test_configuration_outranks_manifests_and_manifests_outrank_documents(project: Project) -> None:
    root = project(
        {
            "compose.yml": "services: {db: {image: 'mysql:8.0'}}\n",
            "requirements.txt": "asyncpg\nsqlalchemy==2.0.1\n",
            "docs/project/tech_stack.md": "| Layer | Technology | Version |\n|---|---|---|\n| Database | SQLite | 3 |\n"
            "| Database | MySQL | 5.7 |\n| ORM | SQLAlchemy | 1.4 |\n",
        }
    )
    profile = discover(root)
    assert [each.name for each in profile.technologies if each.role == "database"] == ["mysql", "postgresql", "sqlite"]
    sqlalchemy, mysql = profile.technology("sqlalchemy"), profile.technology("mysql")
    assert sqlalchemy is not None
    assert mysql is not None
    assert (sqlalchemy.version, mysql.version) == ("2.0.1", "8.0")
    assert {each.says for each in sqlalchemy.sources} == {"2.0.1", "1.4"}
    assert profile.notes == (
        "docs/project/tech_stack.md:4 says mysql 5.7, but compose.yml:1 says 8.0; the latter is used",
        "docs/project/tech_stack.md:5 says sqlalchemy 1.4, but requirements.txt:2 says 2.0.1; the latter is used",
    )
