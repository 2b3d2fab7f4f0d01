"""All formats by name: one function each, material in, text out."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from evenkeel.audit.report import concise, full, github, gitlab, json, markdown, sarif
from evenkeel.audit.report.material import Material, build_material

__all__ = ["RENDERERS", "SUFFIXES", "Material", "build_material", "render"]


def _terminal(material: Material) -> str:
    from evenkeel.audit.report import terminal  # noqa: PLC0415 - the others need no console

    return terminal.render(material.result, name=material.name, say=material.say)


def _html(material: Material) -> str:
    from evenkeel.audit.report import html  # noqa: PLC0415 - the others need no page

    return html.render(material)


RENDERERS: Mapping[str, Callable[[Material], str]] = {
    "terminal": _terminal,
    "concise": concise.render,
    "full": full.render,
    "markdown": lambda material: markdown.render(material.result, material.say),
    "html": _html,
    "json": lambda material: json.render(material.original),
    "sarif": sarif.render,
    "github": github.render,
    "gitlab": gitlab.render,
}
SHOWS_RULES = frozenset({"html", "sarif"})  # formats that tell what a rule is; others get along without
SUFFIXES: Mapping[str, str] = {
    ".md": "markdown",
    ".markdown": "markdown",
    ".json": "json",
    ".txt": "terminal",
    ".sarif": "sarif",
    ".html": "html",
    ".htm": "html",
}


def render(form: str, material: Material) -> str:
    """The text of a report in one of the formats."""
    return RENDERERS[form](material)
