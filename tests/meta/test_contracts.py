"""Who may import whom: the contracts hold, and none can be dodged by a package that no contract names."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import grimp
import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "evenkeel"
STARS = ("evenkeel", "evenkeel.audit", "evenkeel.hotpath", "evenkeel.serve", "evenkeel.prove")
DRIVERS = {  # third party, and the only rooms that may import it
    "apsw": ("evenkeel.hotpath.storage", "evenkeel.prove.load"),
    "argon2": ("evenkeel.hotpath.passwords",),
    "asyncpg": ("evenkeel.hotpath.storage", "evenkeel.prove.load"),
    "prometheus_client": ("evenkeel.kernel", "evenkeel.hotpath", "evenkeel.serve", "evenkeel.prove.measure"),
    "rich": ("evenkeel.audit.report", "evenkeel.prove"),
    "tree_sitter": ("evenkeel.audit.source",),
    "yaml": ("evenkeel.audit.discovery",),
}


def contracts() -> list[dict[str, Any]]:
    table = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    return list(table["contracts"])


@pytest.fixture(scope="module")
def graph() -> grimp.ImportGraph:
    return grimp.build_graph("evenkeel", include_external_packages=True, cache_dir=None)


@pytest.mark.parametrize("container", STARS)
def test_every_package_is_in_an_exhaustive_contract(container: str) -> None:
    assert any(contract.get("exhaustive") and container in contract.get("containers", ()) for contract in contracts())


def test_every_act_is_a_star_with_a_contract() -> None:
    folders = {path.name for path in PACKAGE.iterdir() if (path / "__init__.py").exists()}
    acts = folders - {"kernel"}
    assert acts, "no act found"
    assert {f"evenkeel.{act}" for act in acts} <= set(STARS)


def test_the_contracts_hold() -> None:
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout
    assert f"{len(contracts())} kept, 0 broken" in result.stdout


@pytest.mark.parametrize("driver", DRIVERS)
def test_a_driver_stays_in_its_room(driver: str, graph: grimp.ImportGraph) -> None:
    if driver not in graph.modules:
        pytest.skip(f"nothing imports {driver} yet")
    strangers = [
        module
        for module in graph.find_modules_that_directly_import(driver)
        if not f"{module}.".startswith(tuple(f"{room}." for room in DRIVERS[driver]))
    ]
    assert strangers == []
