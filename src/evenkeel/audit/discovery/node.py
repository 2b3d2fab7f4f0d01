"""package.json: what a JavaScript or TypeScript project depends on."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from evenkeel.audit.discovery.sighting import Evidence, Sighting, of_package
from evenkeel.audit.discovery.tree import Tree, is_aside, line_of, parent

if TYPE_CHECKING:
    from collections.abc import Iterator

_SECTIONS: tuple[tuple[str, Evidence], ...] = (
    ("dependencies", "manifest"),
    ("optionalDependencies", "extra"),
    ("peerDependencies", "extra"),
    ("devDependencies", "development"),
)


def find(tree: Tree) -> list[Sighting]:
    """Sightings of every package.json in the tree."""
    paths = [path for path in tree.named("package.json") if not is_aside(path)]
    return [sighting for path in paths for sighting in _manifest(tree, path)]


def _manifest(tree: Tree, path: str) -> Iterator[Sighting]:
    text = tree.text(path)
    data = _decoded(tree, path, text)
    if data is None:
        return
    sections = {section: data[section] for section, _ in _SECTIONS if isinstance(data.get(section), dict)}
    folder = parent(path)
    typed = any("typescript" in section for section in sections.values())
    typed = typed or (f"{folder}/tsconfig.json" if folder else "tsconfig.json") in tree.files.get("json", ())
    yield Sighting("typescript" if typed else "javascript", "manifest", path)
    for section, evidence in _SECTIONS:
        start = max(text.find(f'"{section}"'), 0)
        for package, version in sections.get(section, {}).items():
            where = Sighting("", evidence, path, line_of(text, f'"{package}"', start))
            yield from of_package("node", package, str(version), where)


def _decoded(tree: Tree, path: str, text: str) -> dict[str, Any] | None:
    if not text.strip():
        return None
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        tree.note(path, f"is not valid JSON ({error}); its dependencies are unknown")
        return None
    return data if isinstance(data, dict) else None
