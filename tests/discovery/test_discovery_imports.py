"""Technologies that only the code shows."""

from __future__ import annotations

from evenkeel.audit.discovery import discover
from evenkeel.audit.model.profile import Source
from tests.discovery.profiles import Project, found


def test_a_local_package_hides_a_library_of_the_same_name(project: Project) -> None:
    root = project(
        {
            "server/pyproject.toml": "[project]\nname = 'x'\n",
            "server/channels/__init__.py": "",
            "server/src/nats.py": "",
            "server/app/redis.py": "",
            "server/app/main.py": "import channels\nimport nats, os, redis\nfrom flask import Flask\n",
        }
    )
    names = [each.name for each in discover(root).technologies if each.role != "language"]
    assert names == ["flask", "redis"], "app/redis.py is imported as app.redis"


def test_imports_show_what_no_manifest_declares(project: Project) -> None:
    root = project(
        {
            "app/main.py": '"""Doc."""\nimport asyncio\n\nfrom peewee import Model\n\n\ndef f():\n    import tornado\n',
            "app/guide.py": '"""Use it so:\n\nfrom flask import Flask\nimport peewee\n"""\n',
            "tests/test_x.py": "import flask\n",
        }
    )
    profile = discover(root)
    assert found(profile, "peewee").sources == (Source("app/main.py", 4),)
    assert found(profile, "asyncio").sources == (Source("app/main.py", 2),)
    assert found(profile, "python").sources == (Source("app/guide.py"),)
    assert profile.technology("flask") is None
    assert profile.technology("tornado") is None, "only top-level imports are looked at"
