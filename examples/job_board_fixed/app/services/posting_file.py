"""The file format of a posting: `Title:`, `Company:` and `City:` lines, an empty line, the description."""

from __future__ import annotations


class PostingError(ValueError):
    """A file that is not a posting."""


def parse_posting(name: str, content: bytes) -> dict[str, str]:
    """The fields of a posting; PostingError when one is missing."""
    head, _, description = content.decode("utf-8", "replace").partition("\n\n")
    fields = {
        key.strip().lower(): value.strip() for key, _, value in (line.partition(":") for line in head.splitlines())
    }
    try:
        required = {field: fields[field] for field in ("title", "company", "city")}
    except KeyError as missing:
        raise PostingError(f"{name} has no line {missing.args[0].title()}:") from None
    return {**required, "description": description.strip()}
