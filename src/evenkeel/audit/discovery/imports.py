"""Top-level imports of Python files: which known packages the code itself uses, whatever the manifests say."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from evenkeel.audit.discovery.catalogue import catalogue
from evenkeel.audit.discovery.pythontext import Page
from evenkeel.audit.discovery.sighting import Sighting
from evenkeel.audit.discovery.tree import decode, parent

if TYPE_CHECKING:
    from evenkeel.audit.discovery.tree import Tree

_NAME = re.compile(rb"[A-Za-z_][A-Za-z0-9_]*")
_CANDIDATES = 20  # files in which to look for a real import when the first ones only quote it in a docstring
HEAD_BYTES = 131_072


@dataclass(slots=True)
class Importers:
    """The first files, in the order of the pass, whose lines seem to import a package."""

    files: dict[bytes, list[str]] = field(default_factory=dict)

    def add(self, packages: set[bytes], path: str) -> None:
        """Remember that `path` seems to import the packages."""
        for package in packages:
            seen = self.files.setdefault(package, [])
            if len(seen) < _CANDIDATES:
                seen.append(path)


def roots(head: bytes) -> set[bytes]:
    """Top-level packages that the lines starting with `import` or `from` name.

    Splitting is several times faster than a multi-line regular expression, and this runs over every file."""
    found: set[bytes] = set()
    text = b"\n" + head if head.startswith((b"from ", b"import ")) else head
    for piece in text.split(b"\nfrom ")[1:]:
        if match := _NAME.match(piece):
            found.add(match[0])
    for piece in text.split(b"\nimport ")[1:]:
        line = piece.partition(b"\n")[0]
        found.update(each.split()[0].partition(b".")[0] for each in line.split(b",") if each.strip())
    return found


def sightings(tree: Tree, importers: Importers) -> list[Sighting]:
    """One sighting per known package that is not the project's own: the first file that imports it, and the line."""
    own = _own_packages(tree)
    pages: dict[str, Page] = {}
    found = []
    for module, name in catalogue().modules.items():
        files = importers.files.get(module.encode(), []) if module not in own else []
        places = (_place(_page(tree, path, pages), module) for path in files)
        if place := next((place for place in places if place), None):
            found.append(Sighting(name, "import", *place))
    return found


def _page(tree: Tree, path: str, pages: dict[str, Page]) -> Page:
    if path not in pages:
        pages[path] = Page(path, decode(tree.head(path, HEAD_BYTES)) or "")
    return pages[path]


def _place(page: Page, module: str) -> tuple[str, int] | None:
    """Path and line of the page's import of a module; None when it only stands in a string."""
    statement = re.compile(rf"^(?:from[ \t]+|import[ \t]+(?:[\w. ]+,[ \t]*)*){module}\b", re.MULTILINE)
    matches = (match for match in statement.finditer(page.text) if page.is_code(match.start()))
    match = next(matches, None)
    return (page.path, page.source(match.start()).line) if match else None


def _own_packages(tree: Tree) -> set[str]:
    """Names that an import finds in the project itself: `channels/__init__.py` at its root hides that package."""
    manifests = tree.named("pyproject.toml", "setup.py", "setup.cfg", "requirements.txt", "Pipfile", "manage.py")
    above = {"", *(parent(path) for path in manifests)}
    above |= {f"{folder}/src" if folder else "src" for folder in above}
    own: set[str] = set()
    for path in tree.files.get("py", ()):
        folder, _, name = path.rpartition("/")
        module = folder if name == "__init__.py" else path.removesuffix(".py")
        if parent(module) in above:
            own.add(module.rpartition("/")[2])
    return own
