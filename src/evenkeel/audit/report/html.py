"""The report as one page that opens offline."""

from __future__ import annotations

from html import escape

from evenkeel.audit.report import markdown
from evenkeel.audit.report.material import Material


def render(material: Material) -> str:
    """The whole report."""
    return f"<!doctype html>\n<title>evenkeel</title><pre>{escape(markdown.render(material.result))}</pre>\n"
