"""YAML composed into nodes, never constructed: nodes carry lines, and an alias stays one shared node however often it
is used, so a file cannot blow up. Imported only where there is YAML to read, which saves its import time elsewhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator

Node = yaml.Node
_MERGE_DEPTH = 8


def composed(text: str) -> yaml.Node | None:
    """The root node of the first document; None when it is empty. Raises `ValueError` when the text is not YAML."""
    try:
        return yaml.compose(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except (yaml.YAMLError, RecursionError) as error:
        raise ValueError(" ".join(str(error).split())[:160]) from error


def mapping(node: yaml.Node | None, depth: int = 0) -> dict[str, yaml.Node]:
    """A mapping node's entries, merge keys (`<<: *defaults`) resolved; {} for any other node."""
    merged: dict[str, yaml.Node] = {}
    own: dict[str, yaml.Node] = {}
    for key, value in node.value if isinstance(node, yaml.MappingNode) else ():
        if key.value == "<<" and depth < _MERGE_DEPTH:
            for base in value.value if isinstance(value, yaml.SequenceNode) else [value]:
                merged = {**mapping(base, depth + 1), **merged}
        elif isinstance(key, yaml.ScalarNode):
            own[str(key.value)] = value
    return {**merged, **own}


def scalars(node: yaml.Node | None) -> Iterator[tuple[str, int]]:
    """Text and line of a scalar, of a list's scalars, or of a mapping's values."""
    children = node.value if isinstance(node, yaml.SequenceNode) else [node, *mapping(node).values()]
    for child in children:
        if isinstance(child, yaml.ScalarNode):
            yield str(child.value), child.start_mark.line + 1
