"""Settings from file, environment and flags; and metrics of several processes as one text."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import pytest

from evenkeel.cli import main
from evenkeel.kernel.errors import ConfigurationError
from evenkeel.serve.api.guard import is_admin_path
from evenkeel.serve.api.settings import LANGUAGES
from evenkeel.serve.api.texts import TEXTS, language_of
from evenkeel.serve.commands import add_commands
from evenkeel.serve.exposition import merged
from evenkeel.serve.hosting import effective
from evenkeel.serve.settings import read_settings, rendered

FILE = """
profile = "rollback"
[limiter]
max_active = 7
[agent.models.main]
base_url = "http://127.0.0.1:1/v1"
api_key = "sk-of-the-model"
[storage]
dsn = "postgresql://user:hunter2@db/agent"
"""


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "server.toml"
    path.write_text(text)
    return path


def parsed(*options: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_commands(parser.add_subparsers())
    return parser.parse_args(["serve", *options])


def test_later_sources_win(tmp_path: Path) -> None:
    environ = {"EVENKEEL_LIMITER__MAX_ACTIVE": "8", "EVENKEEL_SERVER__PORT": "1000", "EVENKEEL_API_KEY": "k"}
    settings = read_settings(written(tmp_path, FILE), environ, {"server.port": 2000, "server.host": None})
    assert (settings.profile, settings.limiter.max_active, settings.limiter.lease_s) == ("rollback", 8, 10.0)
    assert (settings.server.port, settings.server.host, settings.auth.api_key) == (2000, "127.0.0.1", "k")


@pytest.mark.parametrize(
    ("text", "environ", "message"),
    [
        (
            "[limiter]\nmax_activ = 1",
            {},
            r"server.toml: limiter.max_activ is not a known setting. Did you mean max_active",
        ),
        ("limits = 1", {}, r"server.toml: limits is not a known setting"),
        ("[agent.models.main]\nurl = 'x'", {}, r"agent.models.main.url is not a known setting"),
        ("[limiter]\nclock = 1", {}, r"limiter.clock is not a known setting"),
        ("", {"EVENKEEL_SERVER__PORTS": "1"}, r"the environment: server.ports is not a known setting"),
        ("", {"EVENKEEL_SERVER__PORT": "x"}, r"the environment: server.port: Expected `int`"),
        ("[limiter]\nmax_active = 0", {}, r"limiter.max_active is 0"),
        ("a = ", {}, r"server.toml is not valid TOML"),
    ],
)
def test_what_is_not_known_is_refused_by_its_path(
    tmp_path: Path, text: str, environ: dict[str, str], message: str
) -> None:
    with pytest.raises(ConfigurationError, match=message):
        read_settings(written(tmp_path, text), environ, {})


def test_variables_without_a_section_are_somebody_elses() -> None:
    assert read_settings(None, {"EVENKEEL_DEBUG": "1", "EVENKEEL_TEST_DSN": "x"}, {}).profile == "optimised"


def test_secrets_are_masked(tmp_path: Path) -> None:
    shown = rendered(read_settings(written(tmp_path, FILE), {"EVENKEEL_API_KEY": "the-key"}, {}))
    for secret in ("hunter2", "the-key", "sk-of-the-model"):
        assert secret not in shown
    assert json.loads(shown)["storage"]["dsn"] == "postgresql://user@db/agent"


def test_options_become_settings() -> None:
    options = (
        "--postgres",
        "postgresql://db/x",
        "--instances",
        "3",
        "--model-url",
        "http://m/v1",
        "--profile",
        "rollback",
    )
    settings = effective(parsed(*options), {})
    assert settings.server.instances == 3
    assert (settings.agent.model, settings.agent.models["default"].base_url) == ("default", "http://m/v1")
    assert effective(parsed("--sqlite", "/data/x.db"), {}).storage.dsn == "sqlite:////data/x.db"
    assert effective(parsed("--demo"), {}).auth.api_key == "demo"
    assert effective(parsed("--demo"), {"EVENKEEL_API_KEY": "own"}).auth.api_key == "own"


def test_the_command_prints_its_settings(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVENKEEL_API_KEY", "the-key")
    assert main(["serve", "--print-settings", "--port", "1234"]) == 0
    assert json.loads(capsys.readouterr().out)["server"]["port"] == 1234
    assert main(["serve", "--demo", "--host", "0.0.0.0"]) == 2
    assert "reachable from elsewhere" in capsys.readouterr().err


def test_metrics_of_several_processes_are_one_text() -> None:
    one = b'# HELP a_total Of a.\n# TYPE a_total counter\na_total{path="optimised"} 1.0\n# HELP b B.\n# TYPE b gauge\nb 2.0\n'
    two = one.replace(b"1.0", b"5.0")
    assert merged({"0": one, "1": two}).decode().splitlines() == [
        "# HELP a_total Of a.",
        "# TYPE a_total counter",
        'a_total{process="0",path="optimised"} 1.0',
        'a_total{process="1",path="optimised"} 5.0',
        "# HELP b B.",
        "# TYPE b gauge",
        'b{process="0"} 2.0',
        'b{process="1"} 2.0',
    ]


@pytest.mark.parametrize(
    ("path", "guarded"),
    [
        ("/wunder", True),
        ("/wunder/ws", True),
        ("/wunder/tools", True),
        ("/wunder/channel/x/webhook", True),
        ("/wunder/admin/monitor", True),
        ("/a2a", True),
        ("/wunder/chat/sessions", False),
        ("/wunder/auth/login", False),
        ("/wunder/workspace/content", False),
        ("/v1/models", False),
        ("/", False),
    ],
)
def test_admin_paths(path: str, guarded: bool) -> None:
    assert is_admin_path(path) is guarded


@pytest.mark.parametrize(
    ("headers", "query", "language"),
    [
        ({}, b"", "en-US"),
        ({b"accept-language": b"zh-TW,zh;q=0.9,en;q=0.8"}, b"", "zh-CN"),
        ({b"x-wunder-language": b"en", b"accept-language": b"zh"}, b"", "en-US"),
        ({b"accept-language": b"fr"}, b"lang=zh", "zh-CN"),
        ({b"content-language": b"zh-CN"}, b"", "zh-CN"),
        ({b"accept-language": b"\xff\xfe;;,,"}, b"language=%ff&lang=", "en-US"),
    ],
)
def test_languages(headers: dict[bytes, bytes], query: bytes, language: str) -> None:
    assert language_of(headers, query, "en-US") == language


def test_every_text_speaks_both_languages() -> None:
    assert all(len(texts) == len(LANGUAGES) and all(texts) for texts in TEXTS.values())
