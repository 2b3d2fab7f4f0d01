"""Discovery: what the code base is made of, before anyone reads its code.

`discover` walks the tree once, hands the walk to one finder per kind of source, and merges what they saw into a
`Profile` whose every fact names its file and line. It reads metadata only (manifests, compose files, documents,
migrations, and the argument lists of the calls that configure engines and sessions), writes nothing, and never fails on
a bad file: what could not be read is a note.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from evenkeel.audit.discovery import (
    board,
    compose,
    decisions,
    environment,
    go,
    locks,
    migrations,
    node,
    python_manifests,
    requirements,
    rust,
    sources,
    tech_stack,
    triggers,
)
from evenkeel.audit.discovery.sighting import Sighting, merged
from evenkeel.audit.discovery.tree import walk
from evenkeel.audit.model.profile import Profile
from evenkeel.kernel.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

FINDERS = (python_manifests, requirements, node, go, rust, environment, tech_stack)

__all__ = ["discover"]


def discover(root: Path) -> Profile:
    """The profile of the tree at `root`. Raises `UsageError` when `root` is not a folder."""
    if not root.is_dir():
        raise UsageError(f"{root} is not a folder.", hint="Give the path of the backend's source tree.")
    tree = walk(root.resolve())
    scan = sources.scan(tree)
    sightings = [sighting for finder in FINDERS for sighting in finder.find(tree)]
    if scan.first_file and not any(each.name == "python" for each in sightings):
        sightings.append(Sighting("python", "import", scan.first_file))
    services, copies = compose.find(tree)
    locked = [*locks.find(tree), *(each for each in sightings if each.evidence == "lock")]
    technologies, disagreements = merged([*sightings, *services, *scan.sightings], locked)
    scripts = migrations.find(tree, scan.settings_files)
    return Profile(
        root=str(tree.root),
        technologies=technologies,
        settings=sources.settings(tree, scan, copies),
        factories=tuple(scan.configuration.factories),
        triggers=tuple(triggers.find(tree, scripts.scripts, scan.with_triggers)),
        listeners=tuple(scan.listeners),
        decisions=tuple(decisions.find(tree)),
        board=board.find(tree),
        migrations=scripts.folders,
        notes=(*sorted(tree.notes), *sorted(disagreements)),
    )
