"""The agent skill: what the open specification asks of its front matter, and commands that exist."""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from evenkeel.audit.arguments import add_commands

SKILLS = sorted((Path(__file__).parents[2] / "skills").glob("*/SKILL.md"))
KEYS = {"name", "description", "license", "compatibility", "metadata", "allowed-tools"}


def parts(skill: Path) -> tuple[dict[str, Any], str]:
    """Front matter and body."""
    _, front, body = skill.read_text(encoding="utf-8").split("---\n", 2)
    return yaml.safe_load(front), body


def test_there_is_one() -> None:
    assert [each.parent.name for each in SKILLS] == ["evenkeel"]


@pytest.mark.parametrize("skill", SKILLS, ids=lambda each: each.parent.name)
def test_the_front_matter_is_what_the_specification_knows(skill: Path) -> None:
    front, body = parts(skill)
    assert front.keys() <= KEYS
    assert front["name"] == skill.parent.name
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", front["name"])
    assert len(front["name"]) <= 64
    assert 0 < len(front["description"]) <= 1024
    assert not {"<", ">"} & set(front["description"])
    assert len(front["compatibility"]) <= 500
    assert all(isinstance(each, str) for each in front.get("metadata", {}).values())
    assert body.count("\n") < 500


@pytest.mark.parametrize("skill", SKILLS, ids=lambda each: each.parent.name)
def test_its_commands_parse(skill: Path) -> None:
    parser = argparse.ArgumentParser()
    add_commands(parser.add_subparsers())
    _, body = parts(skill)
    blocks = "\n".join(re.findall(r"```sh\n(.*?)```", body, re.DOTALL))
    commands = [line.split("#")[0].split()[1:] for line in blocks.splitlines() if line.startswith("evenkeel ")]
    commands += [each.split()[1:] for each in re.findall(r"`(evenkeel (?!--)[^`]+)`", body)]
    assert len(commands) > 5
    for each in commands:
        parser.parse_args(each)
