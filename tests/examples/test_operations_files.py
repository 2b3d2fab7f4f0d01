"""Dashboard and alerts ask for metrics that exist, in PromQL that parses; the compose file names files that are there."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml

ROOT = Path(__file__).parents[2]
OPERATIONS = ROOT / "examples" / "operations"
METRICS = ROOT / "docs" / "reference" / "metrics.md"
VARIABLES = {"$__rate_interval": "5m", "$instance": ".*"}
OUTSIDE = {"up"}  # Prometheus' own


def known_metrics() -> set[str]:
    """Every name of the reference, with what a histogram adds."""
    found: set[str] = set()
    for name, kind in re.findall(r"^\| `(evenkeel_\w+)` \| (\w+)", METRICS.read_text(encoding="utf-8"), re.MULTILINE):
        found |= {f"{name}_{part}" for part in ("bucket", "count", "sum")} if kind == "histogram" else {name}
    return found | OUTSIDE


def expressions() -> list[str]:
    dashboard = json.loads((OPERATIONS / "grafana" / "evenkeel.json").read_text(encoding="utf-8"))
    panels = [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", [])]
    return panels + [rule["expr"] for rule in rules()]


def rules() -> list[dict[str, Any]]:
    groups = yaml.safe_load((OPERATIONS / "alerts.yml").read_text(encoding="utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


@pytest.mark.parametrize("expression", expressions())
def test_an_expression_parses_and_asks_for_metrics_that_exist(expression: str) -> None:
    for variable, value in VARIABLES.items():
        expression = expression.replace(variable, value)
    promql_parser.parse(expression)
    asked = set(re.findall(r"\b(evenkeel_\w+|up|process_\w+)\b(?=\s*[\[{)=]|\s*$)", expression))
    assert asked
    assert asked <= known_metrics()


def test_every_alert_says_what_to_do() -> None:
    for rule in rules():
        assert rule["annotations"]["summary"], rule["alert"]
        assert rule["annotations"]["action"], rule["alert"]
        assert rule["labels"]["severity"] in {"critical", "warning", "info"}


def test_panels_of_the_dashboard_do_not_overlap() -> None:
    dashboard = json.loads((OPERATIONS / "grafana" / "evenkeel.json").read_text(encoding="utf-8"))
    taken: set[tuple[int, int]] = set()
    for panel in dashboard["panels"]:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken, panel["title"]
        taken |= cells


def test_compose_mounts_files_that_are_there() -> None:
    compose = yaml.safe_load((OPERATIONS / "compose.yml").read_text(encoding="utf-8"))
    mounted = [
        volume.split(":")[0] for service in compose["services"].values() for volume in service.get("volumes", [])
    ]
    for path in (each for each in mounted if each.startswith(".")):
        assert (OPERATIONS / path).exists(), path
    for service in compose["services"].values():
        if "build" in service:
            assert (OPERATIONS / service["build"]["context"] / service["build"]["dockerfile"]).is_file()
