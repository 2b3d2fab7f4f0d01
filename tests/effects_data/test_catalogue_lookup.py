"""Pure lookups in a catalogue: names, ancestors, methods, types; and the facts that most findings rest on."""

from __future__ import annotations

import pytest

from evenkeel.audit.effects.catalogue import (
    CallSpec,
    Catalogue,
    TypeExpression,
    TypeSpec,
    canonical,
    conventions,
    find_attribute,
    find_call,
    find_decorator,
    is_subtype,
    lineage,
    parse_type,
)
from evenkeel.audit.effects.loading import catalogue_files, parse_files
from evenkeel.audit.effects.reading import expand

SMALL = Catalogue(
    types={
        "lib.Base": TypeSpec(),
        "lib.Other": TypeSpec(bases=("lib.Base",)),
        "lib.Child": TypeSpec(bases=("lib.Other", "lib.Base"), names=("kid",), imports=("lib",)),
        "lib.Twin": TypeSpec(names=("kid",), imports=("twin",)),
    },
    calls={
        "lib.Base.run": CallSpec(effects=("network",)),
        "lib.Other.run": CallSpec(effects=("file",)),
        "lib.Child.*": CallSpec(effects=("log",)),
    },
    aliases={"lib.inner": "lib", "lib.Kid": "lib.Child"},
)


@pytest.fixture(scope="module")
def shipped() -> Catalogue:
    return parse_files(catalogue_files("python"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a.B", TypeExpression("a.B")),
        ("$self", TypeExpression("$self")),
        ("list[$e0]", TypeExpression("list", (TypeExpression("$e0"),))),
        ("$keyword:class_|a.B", TypeExpression("|", (TypeExpression("$keyword:class_"), TypeExpression("a.B")))),
        ("dict[str, list[$T]]", TypeExpression("dict", (TypeExpression("str"), parse_type("list[$T]")))),
        ("a.open()", TypeExpression("a.open()")),
        ("a.open().entered()[$0]", TypeExpression("a.open().entered()", (TypeExpression("$0"),))),
    ],
)
def test_type_expressions(text: str, expected: TypeExpression) -> None:
    assert parse_type(text) == expected


@pytest.mark.parametrize("text", ["", "list[", "list[]", "a b", "a|", "]", "a.B(", "list[$0]]"])
def test_unreadable_type_expressions(text: str) -> None:
    with pytest.raises(ValueError, match="type expression"):
        parse_type(text)


@pytest.mark.parametrize(
    ("key", "names"),
    [
        ("a.b", ["a.b"]),
        ("a.{b, c}.d", ["a.b.d", "a.c.d"]),
        ("{a,b}.{c,d}", ["a.c", "a.d", "b.c", "b.d"]),
    ],
)
def test_expand(key: str, names: list[str]) -> None:
    assert expand(key) == names


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("lib.Child.run", "lib.Child.run"),
        ("lib.inner.Kid.run", "lib.Child.run"),
        ("lib.innermost.Kid", "lib.innermost.Kid"),
        ("builtins.open", "open"),
        ("unknown", "unknown"),
    ],
)
def test_canonical(name: str, expected: str) -> None:
    assert canonical(SMALL, name) == expected


def test_aliases_in_a_circle_end() -> None:
    circle = Catalogue(aliases={"a": "b.x", "b": "a"})
    assert canonical(circle, "a.z").endswith(".z")


def test_lineage_is_nearest_first_and_without_repeats() -> None:
    assert lineage(SMALL, "lib.Child") == ("lib.Child", "lib.Other", "lib.Base")
    assert lineage(SMALL, "nobody.Knows") == ("nobody.Knows",)
    assert is_subtype(SMALL, "lib.Child", "lib.Base")
    assert not is_subtype(SMALL, "lib.Base", "lib.Child")


def test_an_inherited_method_goes_before_the_wildcard() -> None:
    assert find_call(SMALL, "lib.Child", "run") == CallSpec(effects=("file",))
    assert find_call(SMALL, "lib.Child", "anything") == CallSpec(effects=("log",))
    assert find_call(SMALL, "lib.Child", "_private") is None
    assert find_call(SMALL, "lib.Base", "anything") is None


def test_conventions_need_the_import() -> None:
    assert conventions(SMALL, {"lib", "twin"}) == {"kid": ("lib.Child", "lib.Twin")}
    assert conventions(SMALL, {"twin"}) == {"kid": ("lib.Twin",)}
    assert conventions(SMALL, set()) == {}


def test_sessions_share_their_names(shipped: Catalogue) -> None:
    assert conventions(shipped, {"sqlalchemy"})["session"] == (
        "sqlalchemy.orm.Session",
        "sqlalchemy.ext.asyncio.AsyncSession",
    )
    assert "session" not in conventions(shipped, {"aiohttp", "requests"})


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("sqlalchemy.orm.session.Session", "sqlalchemy.orm.Session"),
        ("sqlalchemy.ext.asyncio.session.AsyncSession.execute", "sqlalchemy.ext.asyncio.AsyncSession.execute"),
        ("sqlalchemy.sql.expression.select", "sqlalchemy.select"),
        ("sqlalchemy.future.select", "sqlalchemy.select"),
        ("sqlalchemy.dialects.postgresql.insert", "sqlalchemy.insert"),
        ("sqlmodel.select", "sqlalchemy.select"),
        ("requests.api.get", "requests.get"),
        ("redis.client.StrictRedis.get", "redis.Redis.get"),
        ("fastapi.responses.StreamingResponse", "starlette.responses.StreamingResponse"),
        ("django.db.models.query.QuerySet.count", "django.db.models.QuerySet.count"),
        ("typing_extensions.List", "list"),
        ("async_timeout.timeout", "asyncio.timeout"),
    ],
)
def test_import_paths_fold(shipped: Catalogue, written: str, meant: str) -> None:
    assert canonical(shipped, written) == meant


@pytest.mark.parametrize(
    ("owner", "method", "effects", "blocking"),
    [
        ("sqlalchemy.orm.Session", "commit", {"commit"}, True),
        ("sqlalchemy.ext.asyncio.AsyncSession", "commit", {"commit"}, False),
        ("sqlmodel.Session", "get", {"db-read", "db-key-read"}, True),
        ("sqlalchemy.ext.asyncio.AsyncSession", "add", {"db-pending"}, False),
        ("flask_sqlalchemy.query.Query", "all", {"db-read", "db-load-all"}, True),
        ("django.db.models.Manager", "count", {"db-read", "db-count"}, True),
        ("django.db.models.QuerySet", "acount", {"db-read", "db-count"}, False),
        ("requests.Session", "post", {"network:http"}, True),
        ("httpx.AsyncClient", "post", {"network:http"}, False),
        ("redis.Redis", "incr", {"network:redis"}, True),
        ("redis.asyncio.Redis", "incr", {"network:redis"}, False),
        ("botocore.client.BaseClient", "put_object", {"network:aws"}, True),
        ("argon2.PasswordHasher", "verify", {"cpu:crypto", "password-hash"}, True),
        ("pathlib.Path", "read_bytes", {"file"}, True),
        ("anyio.Path", "read_bytes", {"file"}, False),
        ("celery.Task", "delay", {"enqueue", "network:broker"}, True),
        ("openai.OpenAI", "__call__", {"network:llm"}, True),
        ("openai.AsyncOpenAI", "__call__", {"network:llm"}, False),
    ],
)
def test_facts_that_findings_rest_on(
    shipped: Catalogue, owner: str, method: str, effects: set[str], blocking: bool
) -> None:
    spec = find_call(shipped, owner, method)
    assert spec is not None
    assert (set(spec.effects), spec.blocking) == (effects, blocking)


def test_bounded_text_in_memory_costs_nothing(shipped: Catalogue) -> None:
    for name in ("json.loads", "json.dumps", "hashlib.sha256", "zlib.crc32", "urllib.parse.urlparse"):
        assert shipped.calls[name].effects == ()


def test_routes_and_properties_are_found_through_their_types(shipped: Catalogue) -> None:
    route = find_decorator(shipped, "fastapi.FastAPI", "get")
    assert route is not None
    assert (route.entry, route.threaded) == ("handler", True)
    namespace = find_attribute(shipped, "openai.AsyncOpenAI", "chat")
    assert namespace is not None
    assert namespace.type == "$self"
    assert find_attribute(shipped, "openai.AsyncOpenAI", "close") is None, "a method that is named is no namespace"
    branch = find_attribute(shipped, "git.Repo", "active_branch")
    assert branch is not None
    assert branch.blocking
