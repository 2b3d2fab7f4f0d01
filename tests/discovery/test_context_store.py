"""The context store: what every worker is given, built once from profile and briefing."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evenkeel.audit.discovery import discover
from evenkeel.audit.model.context import ContextStore, build_context, plain, published
from evenkeel.audit.model.profile import (
    Factory,
    Listener,
    Profile,
    Setting,
    Source,
    Technology,
    Trigger,
    lowest_release,
)
from tests.discovery.profiles import Project

WHERE = Source("app/db.py", 3)
PROFILE = Profile(
    root="/srv/app",
    technologies=(
        Technology("postgresql", "database", "16"),
        Technology("sqlite", "database"),
        Technology("sqlalchemy", "orm"),
        Technology("asyncio", "async"),
    ),
    settings=(
        Setting("expire_on_commit", "False", WHERE, "async_sessionmaker"),
        Setting("pool_size", "settings.POOL", WHERE, "create_async_engine", default="10"),
        Setting("pool_size", "5", WHERE, "create_async_engine"),
    ),
    factories=(Factory("create_async_engine", "url", WHERE), Factory("async_sessionmaker", "engine", WHERE)),
    triggers=(Trigger("jobs", "UPDATE", "notify_job_events", WHERE, "job_events", notifies=True),),
    listeners=(Listener("job_events", Source("app/events.py", 9)),),
)


def test_the_published_form_has_the_shape_that_workers_are_promised() -> None:
    context = build_context(PROFILE, {"sqlalchemy": {"advice": []}, "asyncio": {}})
    assert published(context) == {
        "tech_stack": {"db": "postgresql", "orm": "sqlalchemy", "async": "asyncio"},
        "best_practices": {"asyncio": {}, "sqlalchemy": {"advice": []}},
        "db_config": {
            "autoflush": True,
            "expire_on_commit": False,
            "max_overflow": 10,
            "pool_pre_ping": False,
            "pool_recycle": -1,
            "pool_size": 10,
            "triggers": [
                {"table": "jobs", "event": "UPDATE", "function": "notify_job_events", "channel_name": "job_events"}
            ],
            "event_subscribers": [{"channel_name": "job_events", "file": "app/events.py", "line": 9}],
        },
        "codebase_root": ".",
    }


def test_without_a_database_nothing_is_assumed() -> None:
    context = build_context(Profile(root="/x"), {})
    assert context.tech_stack == {"db": None, "orm": None, "async": None}
    assert context.db_config == {"triggers": [], "event_subscribers": []}
    assert context.codebase_root == "/x"


def test_equal_arguments_give_equal_bytes_and_the_store_survives_the_trip_to_a_worker() -> None:
    briefing = {"b": {"x": 1}, "a": {"y": [1, 2]}}
    first = msgspec.json.encode(build_context(PROFILE, briefing))
    second = msgspec.json.encode(build_context(PROFILE, dict(reversed(briefing.items()))))
    assert first == second
    assert msgspec.json.decode(first, type=ContextStore) == build_context(PROFILE, briefing)


def test_from_a_tree_to_the_store(project: Project) -> None:
    root = project(
        {
            "requirements.txt": "fastapi==0.115.0\nsqlalchemy[asyncio]==2.0.31\nasyncpg==0.29.0\n",
            "app/db.py": "from sqlalchemy.ext.asyncio import async_sessionmaker\nS = async_sessionmaker(e)\n",
        }
    )
    context = build_context(discover(root), {})
    assert context.tech_stack == {"db": "postgresql", "orm": "sqlalchemy", "async": "asyncio"}
    assert context.db_config["expire_on_commit"] is True, "the default of a factory that does not set it"
    assert context.codebase_root == str(root)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("True", True),
        ("None", None),
        ("10", 10),
        ("1_000", 1000),
        ("-1", -1),
        ("0.5", 0.5),
        ("'x'", "x"),
        ("NullPool", "NullPool"),
    ],
)
def test_literals(text: str, value: object) -> None:
    assert plain(text) == value


@pytest.mark.parametrize(
    ("version", "release"),
    [
        ("2.0.31", (2, 0, 31)),
        ("==0.115.6", (0, 115, 6)),
        (">=0.106,<0.118", (0, 106)),
        ("<0.118,>=0.106", (0, 106)),
        ("^2", (2,)),
        ("~=1.4.0", (1, 4, 0)),
        ("v1.10.0", (1, 10, 0)),
        ("16-alpine", (16,)),
        ("15.x", (15,)),
        ("<2", ()),
        ("!=2.1", ()),
        ("latest", ()),
        ("*", ()),
        ("", ()),
    ],
)
def test_lowest_release(version: str, release: tuple[int, ...]) -> None:
    assert lowest_release(version) == release


@given(st.lists(st.integers(0, 999), min_size=1, max_size=4), st.sampled_from(["", "==", ">=", "^", "~", "v"]))
def test_lowest_release_of_any_number(numbers: list[int], operator: str) -> None:
    assert lowest_release(operator + ".".join(map(str, numbers))) == tuple(numbers)
