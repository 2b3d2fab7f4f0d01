"""Dotted module names, as importers write them.

Where `__init__.py` files stand does not settle it: `backend/__init__.py` may exist although everyone imports `app.x`,
and `app/` may have none although everyone imports `app.x`. So the imports are asked: a sample of the files is searched
for absolute imports, and a folder from which such an import leads to something that exists is an import root for it.
Without such evidence the chain of `__init__.py` decides: the folder above the top-most package is the import root; a
file outside any package is named from the nearest import root above it, else from the audited root.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

SAMPLE_FILES = 200
SAMPLE_BYTES = 16_000  # imports stand at the top
IMPORT = re.compile(  # after a line end, which is searched faster than the start of a line
    rb"\n[ \t]*(?:from[ \t]+([A-Za-z_][\w.]*)[ \t]+import[ \t]+\(?[ \t\r\n]*([A-Za-z_]\w*)?"
    rb"|import[ \t]+([A-Za-z_][\w.]*))"
)
MARKERS = frozenset(
    ["pyproject.toml", "setup.py", "setup.cfg", "requirements.txt", "Pipfile", "manage.py", "alembic.ini"]
)
SOURCE_FOLDERS = frozenset({"src", "lib", "python"})

Evidence = Counter[tuple[str, str]]  # (import root, first name) -> imports in the sample that lead there


@dataclass(slots=True)
class Layout:
    """The Python side of a tree. Places are written from the folder `above` the audited root on."""

    above: Path
    root: str  # the audited root, seen from there
    packages: set[str] = field(default_factory=set)  # folders that hold `__init__.py`
    marked: set[str] = field(default_factory=set)  # folders that hold a project's manifest
    folders: set[str] = field(default_factory=set)  # folders with Python somewhere below
    files: set[str] = field(default_factory=set)  # Python files, without suffix


def layout_of(root: Path) -> Layout:
    """An empty layout. A root that is itself a package is seen from the folder above the top-most package around it."""
    above = root.parent
    if (root / "__init__.py").exists():
        while (above / "__init__.py").exists() and above != above.parent:
            above = above.parent
    layout = Layout(above, root.relative_to(above).as_posix())
    place = _parent(layout.root)
    while place:
        layout.packages.add(place)
        place = _parent(place)
    return layout


def note_folder(layout: Layout, folder: str, names: Iterable[str], sources: Sequence[str]) -> None:
    """Remember one folder (relative to the audited root): all its file names, and those of its Python files."""
    place = _joined(layout.root, folder)
    given = frozenset(names)
    if "__init__.py" in given:
        layout.packages.add(place)
    if not MARKERS.isdisjoint(given):
        layout.marked.add(place)
    layout.files.update(_joined(place, name.rpartition(".")[0]) for name in sources)
    while sources and place and place not in layout.folders:
        layout.folders.add(place)
        place = _parent(place)


def module_names(layout: Layout, paths: Iterable[str]) -> dict[str, str]:
    """Path -> dotted module name of every Python file; `paths` are relative to the audited root."""
    places = {path: _joined(layout.root, path).rpartition(".")[0] for path in sorted(paths)}
    evidence = _evidence(layout, [_joined(layout.root, path) for path in places])
    roots = _roots(layout)
    starts = {folder: _start(folder, evidence, roots) for folder in {_parent(each) for each in places.values()}}
    return {path: _dotted(place, starts[_parent(place)], evidence) for path, place in places.items()}


def _evidence(layout: Layout, places: Sequence[str]) -> Evidence:
    """How many imports of a sample, spread evenly over the tree, each import root explains."""
    parents: dict[str, list[str]] = {}
    for each in sorted(layout.folders | layout.files):
        parents.setdefault(each.rpartition("/")[2], []).append(_parent(each))
    evidence: Evidence = Counter()
    for place in places[:: max(len(places) // SAMPLE_FILES, 1)]:
        for names in _imports(layout.above / place):
            roots = [each for each in parents.get(names[0], ()) if _leads_somewhere(layout, each, names)]
            around = [each for each in roots if not each or place.startswith(f"{each}/")]
            # the deepest root around the importing file, else wherever it exists
            for each in [max(around, key=len)] if around else roots:
                evidence[each, names[0]] += 1
    return evidence


def _imports(path: Path) -> list[list[str]]:
    """The dotted names that a file imports absolutely, in parts."""
    try:
        with path.open("rb") as file:
            head = file.read(SAMPLE_BYTES)
    except OSError:
        return []
    dotted = [
        plain or (module + b"." + name if name else module) for module, name, plain in IMPORT.findall(b"\n" + head)
    ]
    return [each.decode("utf-8", "replace").split(".") for each in dotted]


def _leads_somewhere(layout: Layout, root: str, names: list[str]) -> bool:
    """Whether an import finds something below this root; names inside modules are not believed below a package."""
    top = _joined(root, names[0])
    if len(names) > 1 and (below := _joined(top, names[1])) and (below in layout.folders or below in layout.files):
        return True
    return root not in layout.packages and (top in layout.packages or top in layout.files)


def _roots(layout: Layout) -> set[str]:
    """Import roots that the layout itself shows; none of them lies inside a package."""
    found = {layout.root, *layout.marked}
    found |= {_parent(each) for each in layout.packages}
    found |= {each for each in layout.folders if each.rpartition("/")[2] in SOURCE_FOLDERS}
    return {each for each in found if not _packaged(layout, each)}


def _packaged(layout: Layout, folder: str) -> bool:
    while folder:
        if folder in layout.packages:
            return True
        folder = _parent(folder)
    return False


def _start(folder: str, evidence: Evidence, roots: set[str]) -> tuple[str, int]:
    """The import root for the files of a folder, and how many imports speak for it."""
    parts = folder.split("/")
    candidates = [("/".join(parts[:depth]), parts[depth]) for depth in range(len(parts))]
    best = max(candidates, key=lambda each: evidence[each])  # the first, so the shallowest, of equals
    if evidence[best]:
        return best[0], evidence[best]
    while folder and folder not in roots:
        folder = _parent(folder)
    return folder, 0


def _dotted(place: str, start: tuple[str, int], evidence: Evidence) -> str:
    """The name of a file from its import root on; a file imported by its bare name more often is named so."""
    root, count = start
    stem = place.rpartition("/")[2]
    if evidence[_parent(place), stem] > count:
        return stem
    name = place[len(root) + 1 :] if root else place
    return name.removesuffix("/__init__").replace("/", ".")


def _parent(place: str) -> str:
    return place.rpartition("/")[0]


def _joined(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder and name else folder or name
