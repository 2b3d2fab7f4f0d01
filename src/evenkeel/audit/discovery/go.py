"""go.mod: the modules that a Go project requires itself; what others need is marked `// indirect` and left out."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from evenkeel.audit.discovery.catalogue import catalogue
from evenkeel.audit.discovery.sighting import Sighting
from evenkeel.audit.discovery.tree import Tree, is_aside, numbered

if TYPE_CHECKING:
    from collections.abc import Iterator

_REQUIRE = re.compile(
    r"\s*(?:require\s+)?(?P<module>[\w.~-]+\.[\w.~-]+/[\w./~-]+|[\w-]+\.[\w.-]+)\s+(?P<version>v\d\S*)"
)
_LANGUAGE = re.compile(r"go\s+(?P<version>\d+\.\d+\S*)\s*$")


def find(tree: Tree) -> list[Sighting]:
    """Sightings of every go.mod in the tree."""
    return [sighting for path in tree.named("go.mod") if not is_aside(path) for sighting in _manifest(tree, path)]


def _manifest(tree: Tree, path: str) -> Iterator[Sighting]:
    text = tree.text(path)
    if text and not re.search(r"^\s*module\s", text, re.MULTILINE):
        tree.note(path, "has no module line; its dependencies are unknown")
        return
    for number, line in numbered(text):
        if language := _LANGUAGE.match(line):
            yield Sighting("go", "manifest", path, number, language["version"])
        code, _, comment = line.partition("//")
        match = None if "indirect" in comment or "=>" in code else _REQUIRE.match(code)
        name = catalogue().of_module_path(_unversioned(match["module"])) if match else None
        if match and name:
            yield Sighting(name, "manifest", path, number, match["version"].removeprefix("v"))


def _unversioned(module: str) -> str:
    return re.sub(r"/v\d+$", "", module)
