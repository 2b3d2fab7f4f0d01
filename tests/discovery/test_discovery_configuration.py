"""Engine, session and pool settings, read out of the argument lists alone; listeners."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evenkeel.audit.discovery import discover, pythontext
from evenkeel.audit.model.profile import Factory, Setting, Source
from tests.discovery.profiles import Project


def settings(profile_settings: tuple[Setting, ...]) -> dict[str, str]:
    return {each.name: each.literal for each in reversed(profile_settings)}


def test_engine_and_session_factories_with_lines(project: Project) -> None:
    root = project(
        {
            "app/db.py": '''\
"""Docs: create_engine(url, pool_size=99)."""
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

# engine = create_async_engine(url, pool_size=77)
engine = create_async_engine(
    "postgresql+asyncpg://app:hunter2@db/app",
    pool_size=10,  # per process
    max_overflow=5, pool_pre_ping=True,
    connect_args={"statement_cache_size": 0, "server_settings": {"application_name": "x"}},
    echo=False,
)
Session = async_sessionmaker[AsyncSession](
    engine,
    expire_on_commit=False,
)
'''
        }
    )
    profile = discover(root)
    expected = {
        "pool_size": ("10", 7, "create_async_engine"),
        "max_overflow": ("5", 8, "create_async_engine"),
        "pool_pre_ping": ("True", 8, "create_async_engine"),
        "statement_cache_size": ("0", 9, "create_async_engine"),
        "echo": ("False", 10, "create_async_engine"),
        "expire_on_commit": ("False", 14, "async_sessionmaker"),
    }
    assert {each.name: (each.value, each.source.line, each.call) for each in profile.settings} == expected
    assert [(each.call, each.source) for each in profile.factories] == [
        ("create_async_engine", Source("app/db.py", 5)),
        ("async_sessionmaker", Source("app/db.py", 12)),
    ]
    assert "hunter2" not in repr(profile)
    assert profile.first("database") == profile.technology("postgresql")


def test_options_given_as_dictionaries_and_by_name(project: Project) -> None:
    root = project(
        {
            "app/database.py": """\
import sqlalchemy as sa
from .config import settings
options: dict[str, object] = {"pool_size": settings.DB_POOL_SIZE, "pool_recycle": 1800}
options["max_overflow"] = 0
engine = sa.create_engine(settings.url, **options)
""",
            "app/config.py": "class Settings(BaseSettings):\n    DB_POOL_SIZE: int = Field(default=12, ge=1)\n",
        }
    )
    profile = discover(root)
    assert settings(profile.settings) == {"pool_size": "12", "pool_recycle": "1800", "max_overflow": "0"}
    pool_size = profile.setting("pool_size")
    assert pool_size == Setting(
        "pool_size", "settings.DB_POOL_SIZE", Source("app/database.py", 3), "create_engine", default="12"
    )


@pytest.mark.parametrize(
    ("declared", "expected"),
    [
        ("POOL = 7", "7"),
        ("POOL: int = 7  # connections", "7"),
        ('POOL = int(os.environ.get("POOL", "8"))', "8"),
        ('POOL = env.int("POOL", default=9)', "9"),
        ("POOL: int = Field(10, gt=0)", "10"),
        ("POOL = 60 * 5", "60 * 5"),
        ("POOL = compute()", ""),
        ("OTHER_POOL = 3", ""),
    ],
)
def test_where_a_named_value_gets_its_literal(project: Project, declared: str, expected: str) -> None:
    root = project(
        {
            "app/db.py": "from sqlalchemy import create_engine\ne = create_engine(u, pool_size=settings.POOL)\n",
            "app/settings.py": f"import os\n{declared}\n",
        }
    )
    pool_size = discover(root).setting("pool_size")
    assert pool_size is not None
    assert pool_size.default == expected


def test_the_projects_own_wrappers_of_the_same_name_are_not_factories(project: Project) -> None:
    root = project(
        {
            "app/kit.py": """\
from sqlalchemy.ext.asyncio import create_async_engine as _create_async_engine
from sqlalchemy.orm import sessionmaker as make
def create_async_engine(url: str, pool_size: int):
    return _create_async_engine(url, pool_size=pool_size)
Local = make(autoflush=False)
""",
            "app/db.py": """\
from sqlalchemy.orm import scoped_session
from app.kit import create_async_engine
engine = create_async_engine(URL, pool_size=6)
async def run(sessionmaker):
    async with sessionmaker() as session:
        ...
""",
        }
    )
    profile = discover(root)
    assert [(each.call, each.source.file, each.source.line) for each in profile.factories] == [
        ("create_async_engine", "app/kit.py", 4),
        ("sessionmaker", "app/kit.py", 5),
    ]
    pool_size = profile.setting("pool_size")
    assert pool_size is not None
    assert (pool_size.value, pool_size.source) == ("6", Source("app/db.py", 3)), "a known value before a parameter"


def test_what_the_backend_configures_comes_before_scripts_and_migrations(project: Project) -> None:
    engine = "from sqlalchemy import create_engine\ne = create_engine(u, pool_size={})\n"
    root = project(
        {
            "alembic/env.py": engine.format(1),
            "scripts/backfill.py": engine.format(2),
            "src/backend/store.py": engine.format(3),
            "tests/conftest.py": engine.format(4),
        }
    )
    profile = discover(root)
    assert [each.value for each in profile.settings] == ["3", "1", "2"]
    sqlalchemy = profile.technology("sqlalchemy")
    assert sqlalchemy is not None
    assert sqlalchemy.sources == (Source("src/backend/store.py", 1),)


def test_django_databases(project: Project) -> None:
    root = project(
        {
            "shop/settings/base.py": """\
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "ATOMIC_REQUESTS": True,
        "CONN_MAX_AGE": env.int("CONN_MAX_AGE", default=60),
    }
}
DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
""",
            "shop/settings/heroku.py": "DATABASES = {'default': dj_database_url.config(conn_max_age=600)}\n",
        }
    )
    profile = discover(root)
    assert [(each.name, each.literal, each.source.line) for each in profile.settings] == [
        ("ATOMIC_REQUESTS", "True", 4),
        ("CONN_MAX_AGE", "60", 5),
        ("CONN_HEALTH_CHECKS", "True", 8),
        ("CONN_MAX_AGE", "600", 1),
    ]
    database = profile.first("database")
    assert database is not None
    assert (database.name, database.sources) == ("postgresql", (Source("shop/settings/base.py", 3),))


def test_flask_asyncpg_psycopg_and_peewee_pools(project: Project) -> None:
    root = project(
        {
            "a/config.py": 'SQLALCHEMY_ENGINE_OPTIONS = {\n    "pool_size": 20,\n}\nSQLALCHEMY_MAX_OVERFLOW = 4\n',
            "b/pool.py": "import asyncpg\nasync def f():\n    await asyncpg.create_pool(dsn, min_size=2, max_size=9)\n",
            "c/pool.py": "from psycopg_pool import AsyncConnectionPool\np = AsyncConnectionPool(dsn, max_idle=30)\n",
            "d/pool.py": "from playhouse.pool import PooledSqliteDatabase as D\nd = D('x', stale_timeout=5)\n",
            "e/tasks.py": "import arq, asyncpg\nasync def f():\n    await arq.create_pool(Redis(), max_size=3)\n",
            "f/connections.py": "import redis\npool = redis.ConnectionPool(max_connections=8)\n# psycopg\n",
        }
    )
    profile = discover(root)
    assert {each.source.file: (each.name, each.value) for each in profile.settings if each.source.file > "b"} == {
        "b/pool.py": ("max_size", "9"),
        "c/pool.py": ("max_idle", "30"),
        "d/pool.py": ("stale_timeout", "5"),
    }
    assert {(each.name, each.value, each.source.line) for each in profile.settings if each.source.file < "b"} == {
        ("pool_size", "20", 2),
        ("max_overflow", "4", 4),
    }


def test_tables_of_settings_and_comments_are_not_values(project: Project) -> None:
    root = project(
        {
            "app/config.py": """\
NAMES = {"pool_size": ("size", 3), "CONN_MAX_AGE": ["x"]}
DATABASES = {"default": {"CONN_MAX_AGE": 60}}  # a minute
limits(pool_size=4  # four
)
AUTOCOMMIT = {"peewee"}
"""
        }
    )
    found = discover(root).settings
    assert [(each.name, each.value) for each in found] == [("CONN_MAX_AGE", "60"), ("pool_size", "4")]


def test_an_unclosed_call_and_a_huge_file_raise_nothing(project: Project) -> None:
    root = project(
        {
            "app/db.py": "from sqlalchemy import create_engine\nengine = create_engine(url, pool_size=(1,\n",
            "app/config.py": "x = 1\n" * 100_000
            + "from sqlalchemy import create_engine\ncreate_engine(u, pool_size=3)\n",
        }
    )
    assert discover(root).factories == (Factory("create_engine", "url", Source("app/db.py", 2)),)


def test_listeners(project: Project) -> None:
    root = project(
        {
            "app/events.py": '''\
"""LISTEN carefully."""
from app.names import CHANNEL
async def f(connection, cursor):
    await connection.add_listener("job_events", on_event)
    await connection.execute("LISTEN runs")
    cursor.execute('LISTEN "Mixed";')
    cursor.execute(f"LISTEN {CHANNEL}")
    cursor.execute("LISTEN " + quoted)
    await connection.add_listener(f"jobs_{job_id}", on_event)
    # await connection.execute("LISTEN commented")
    log("now: LISTEN to nothing")
    bus.add_listener(on_event)
''',
            "app/names.py": 'CHANNEL: Final = "job_channel"\n',
            "app/socket.py": 'STATE = "LISTEN"\nprint("LISTENING on")\n',
        }
    )
    assert [(each.channel, each.source.file, each.source.line) for each in discover(root).listeners] == [
        ("runs", "app/events.py", 5),
        ("Mixed", "app/events.py", 6),
        ("job_channel", "app/events.py", 7),
        ("quoted", "app/events.py", 8),
        ("job_events", "app/events.py", 4),
        ("jobs_*", "app/events.py", 9),
    ]


PIECES = st.lists(
    st.sampled_from(
        ["'", '"', '"""', "'''", "#", "\\", "\n", "(", ")", "[", "]", ",", "=", "f", "r", "**", "x", " ", "{", "}"]
    )
).map("".join)


@given(PIECES)
def test_a_mask_keeps_length_and_lines(text: str) -> None:
    mask = pythontext.masked(text)
    assert len(mask) == len(text)
    assert [number for number, character in enumerate(mask) if character == "\n"] == [
        number for number, character in enumerate(text) if character == "\n"
    ]
    assert all(kept in {shown, " "} for kept, shown in zip(mask, text, strict=True))


@given(PIECES)
def test_arguments_of_any_text_lie_inside_it(text: str) -> None:
    whole = f"call({text}"
    for each in pythontext.arguments(whole, pythontext.masked(whole), 4):
        assert 4 < each.position <= each.end <= len(whole)


@given(
    st.lists(st.tuples(st.sampled_from(["a", "pool_size", ""]), st.sampled_from(["1", "'x,)'", "f(a, b)", "[1, 2]"])))
)
def test_arguments_come_back_as_written(pairs: list[tuple[str, str]]) -> None:
    written = ", ".join(f"{name}={value}" if name else value for name, value in pairs)
    text = f"call({written})"
    found = pythontext.arguments(text, pythontext.masked(text), 4)
    assert [(each.keyword, each.value) for each in found] == pairs
