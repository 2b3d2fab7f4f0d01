"""Where a page calls what makes engines, session factories and pools; the vocabulary is data (`factories.toml`)."""

from __future__ import annotations

import functools
import re
import tomllib
from importlib import resources
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator

    from evenkeel.audit.discovery.pythontext import Page

# after a line end, which is searched faster than the start of a line
_IMPORT = re.compile(r"\n[ \t]*from[ \t]+(?P<module>[\w.]+)[ \t]+import[ \t]+(?P<names>\([^)]*\)|[^\n]*)")
_NAME = re.compile(r"(?P<name>\w+|\*)(?:\s+as\s+(?P<alias>\w+))?")
_OWNER = re.compile(r"(?P<root>\w+)(?:\.\w+)*\.$")


class Vocabulary(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`factories.toml`; the file says what each key means."""

    settings: frozenset[str]
    telling: tuple[str, ...]
    nested: frozenset[str]
    django: tuple[str, ...]
    libraries: frozenset[str]
    strangers: frozenset[str]
    markers: tuple[str, ...]
    factories: tuple[str, ...]


@functools.cache
def vocabulary() -> Vocabulary:
    """The vocabulary that ships; read once a process."""
    text = resources.files(__package__).joinpath("factories.toml").read_text(encoding="utf-8")
    return msgspec.convert(tomllib.loads(text), Vocabulary)


def calls(page: Page) -> list[tuple[int, str, int]]:
    """(position of the name, factory, position of the opening bracket) of every factory call on the page, in order.

    A plain name counts when the page imports it from a library that has it; a dotted one unless its owner is known to
    mean something else."""
    present = [name for name in vocabulary().factories if name in page.text]
    if not present:
        return []
    imported = _imported(page)
    if not imported and not any(f".{name}" in page.text for name in present):
        return []  # without reading the page's structure
    local = {**{name: name for name in present}, **imported}
    return sorted({found for name, factory in local.items() for found in _of_name(page, name, factory, imported)})


def _of_name(page: Page, name: str, factory: str, imported: dict[str, str]) -> Iterator[tuple[int, str, int]]:
    # the pattern starts with plain text, so that the search can skip ahead
    for match in re.finditer(rf"{name}\s*(?:\[[^\]\n]*\]\s*)?(?P<opening>\()", page.mask):
        before = page.mask[max(0, match.start() - 60) : match.start()]
        if before[-1:].isalnum() or before.endswith(("_", "def ", "class ")):
            continue
        owner = _OWNER.search(before)
        if name in imported if not before.endswith(".") else owner and owner["root"] not in vocabulary().strangers:
            yield match.start(), factory, match.start("opening")


def _imported(page: Page) -> dict[str, str]:
    """Local name -> factory, for what is imported from a library; a star import brings all in."""
    found: dict[str, str] = {}
    known = vocabulary()
    for match in _IMPORT.finditer(f"\n{page.text}"):
        if match["module"].partition(".")[0] not in known.libraries:
            continue
        for each in _NAME.finditer(match["names"]):
            if each["name"] == "*":
                found |= {name: name for name in known.factories}
            elif each["name"] in known.factories:
                found[each["alias"] or each["name"]] = each["name"]
    return found
