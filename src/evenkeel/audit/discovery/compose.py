"""Compose files: the images of databases, queues and caches, database URLs, and how many copies of a service run."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from evenkeel.audit.discovery.catalogue import catalogue
from evenkeel.audit.discovery.environment import schemes
from evenkeel.audit.discovery.sighting import Sighting
from evenkeel.audit.discovery.tree import Tree, is_aside
from evenkeel.audit.model.profile import Setting, Source

if TYPE_CHECKING:
    from collections.abc import Iterator

    from evenkeel.audit.discovery.yamlnodes import Node

_FILE = re.compile(r"(?:^|/)(?:docker-)?compose[^/]*\.ya?ml$")
_DEFAULT = re.compile(r"\$\{[^}:?-]*(?::?-(?P<default>[^}]*))?[^}]*\}|\$\w+")
_WORKERS = re.compile(r"(?:--workers|--web-concurrency|-w|--concurrency|--processes)[ =]+[\"']?(?P<count>\d+)")


def find(tree: Tree) -> tuple[list[Sighting], list[Setting]]:
    """Sightings and settings (`replicas`, `workers`, with the service's name as `call`) of every compose file."""
    sightings: list[Sighting] = []
    settings: list[Setting] = []
    for path in tree.matching(("yml", "yaml"), _FILE):
        if is_aside(path):
            continue
        for service, fields in _services(tree, path):
            sightings += _service_sightings(path, fields)
            settings += _service_settings(path, service, fields)
    return sightings, settings


def image_technology(reference: str) -> tuple[str, str] | None:
    """Canonical name and tag of an image (`registry:5000/library/postgres:16-alpine@sha256:...`); None unknown."""
    plain = _DEFAULT.sub(lambda match: match["default"] or "", reference).partition("@")[0]
    folder, slash, last = plain.rpartition("/")
    image, _, tag = last.partition(":")
    name = catalogue().of_image(f"{folder}{slash}{image}")
    return (name, tag) if name else None


def _services(tree: Tree, path: str) -> Iterator[tuple[str, dict[str, Node]]]:
    from evenkeel.audit.discovery import yamlnodes  # noqa: PLC0415 - loaded only where there is a compose file

    try:
        document = yamlnodes.composed(tree.text(path))
    except ValueError as error:
        tree.note(path, f"is not valid YAML ({error}); its services are unknown")
        return
    for name, node in yamlnodes.mapping(yamlnodes.mapping(document).get("services")).items():
        yield name, yamlnodes.mapping(node)


def _service_sightings(path: str, fields: dict[str, Node]) -> Iterator[Sighting]:
    from evenkeel.audit.discovery.yamlnodes import scalars  # noqa: PLC0415 - see `_services`

    for text, line in scalars(fields.get("image")):
        if shown := image_technology(text):
            yield Sighting(shown[0], "configuration", path, line, shown[1])
    for text, line in scalars(fields.get("environment")):
        for name in schemes(text):
            yield Sighting(name, "configuration", path, line)


def _service_settings(path: str, service: str, fields: dict[str, Node]) -> Iterator[Setting]:
    from evenkeel.audit.discovery.yamlnodes import mapping, scalars  # noqa: PLC0415 - see `_services`

    replicas = mapping(fields.get("deploy")).get("replicas")
    for node in (replicas, fields.get("scale")):
        for text, line in scalars(node):
            yield Setting("replicas", text, Source(path, line), call=service)
    commands = list(scalars(fields.get("command")))
    joined = " ".join(text for text, _ in commands)
    if workers := _WORKERS.search(joined):
        yield Setting("workers", workers["count"], Source(path, commands[0][1]), call=service)
