from __future__ import annotations

from pathlib import Path

import pytest

from evenkeel.audit.source.walk import walk
from tests.source.trees import grow


def names(root: Path) -> dict[str, str]:
    return {each.path: each.module for each in walk(root).files}


CASES: dict[str, tuple[dict[str, str], dict[str, str]]] = {
    "a package at the root": (
        {"shop/__init__.py": "", "shop/db/__init__.py": "", "shop/db/models.py": ""},
        {"shop/__init__.py": "shop", "shop/db/models.py": "shop.db.models"},
    ),
    "a package below src": (
        {"src/shop/__init__.py": "", "src/shop/a.py": "", "src/other.py": ""},
        {"src/shop/a.py": "shop.a", "src/other.py": "other"},
    ),
    "several projects": (
        {"one/pyproject.toml": "", "one/a/__init__.py": "", "one/a/b.py": "", "two/c/__init__.py": "",
         "two/c/d.py": ""},
        {"one/a/b.py": "a.b", "two/c/d.py": "c.d"},
    ),
    "a namespace package inside a package": (
        {"shop/__init__.py": "", "shop/plugins/a.py": "", "shop/plugins/deep/__init__.py": "",
         "shop/plugins/deep/b.py": ""},
        {"shop/plugins/a.py": "shop.plugins.a", "shop/plugins/deep/b.py": "shop.plugins.deep.b"},
    ),
    "no package at all": (
        {"main.py": "", "jobs/run.py": ""},
        {"main.py": "main", "jobs/run.py": "jobs.run"},
    ),
    "imports tell a root without __init__": (
        {"app/main.py": "from app.api import orders\n", "app/api/__init__.py": "", "app/api/orders.py": ""},
        {"app/main.py": "app.main", "app/api/orders.py": "app.api.orders"},
    ),
    "imports tell a root inside a package": (
        {"backend/__init__.py": "", "backend/app/__init__.py": "", "backend/app/a.py": "from app.b import x\n",
         "backend/app/b.py": ""},
        {"backend/app/a.py": "app.a", "backend/app/b.py": "app.b", "backend/app/__init__.py": "app"},
    ),
    "imports of a folder that is on the path": (
        {"server/main.py": "from models import Order\nimport db.session\n", "server/models.py": "",
         "server/db/session.py": "from models import Base\n"},
        {"server/models.py": "models", "server/db/session.py": "db.session", "server/main.py": "server.main"},
    ),
    "each service finds its own": (
        {"a/app/x.py": "from app.y import z\n", "a/app/y.py": "", "b/app/x.py": "import app.y\n", "b/app/y.py": ""},
        {"a/app/y.py": "app.y", "b/app/y.py": "app.y"},
    ),
    "a module named like a library": (
        {"shop/__init__.py": "", "shop/redis/__init__.py": "", "shop/redis/client.py": "from redis import Redis\n",
         "shop/a.py": "from shop.redis.client import x\nimport redis.asyncio\n"},
        {"shop/redis/client.py": "shop.redis.client"},
    ),
    "imports in tests count": (
        {"lib/shop/a.py": "", "tests/test_a.py": "from shop.a import f\n"},
        {"lib/shop/a.py": "shop.a"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_modules_are_named_as_importers_write_them(tmp_path: Path, name: str) -> None:
    files, wanted = CASES[name]
    found = names(grow(tmp_path / "root", dict(files)))
    assert {path: found[path] for path in wanted} == wanted


def test_a_root_that_is_a_package_is_named_from_above(tmp_path: Path) -> None:
    grow(tmp_path, {"shop/__init__.py": "", "shop/api/__init__.py": "", "shop/api/orders.py": "", "shop/a.py": ""})
    assert names(tmp_path / "shop") == {
        "__init__.py": "shop", "a.py": "shop.a", "api/__init__.py": "shop.api", "api/orders.py": "shop.api.orders",
    }  # fmt: skip
    assert names(tmp_path / "shop/api") == {"__init__.py": "shop.api", "orders.py": "shop.api.orders"}


def test_a_root_that_everyone_imports_by_name_is_named_so(tmp_path: Path) -> None:
    root = grow(tmp_path / "shop", {"a.py": "from shop.b import x\n", "b.py": ""})
    assert names(root) == {"a.py": "shop.a", "b.py": "shop.b"}
