"""Names of functions as readers know them."""

from __future__ import annotations

import re

_PACKAGE_FILES = frozenset({"__init__", "mod", "index"})


def local_name(function: str, file: str) -> str:
    """The qualified name without the module: `app.jobs.Worker.run` in `src/app/jobs.py` is `Worker.run`."""
    parts = re.sub(r"\.\w+$", "", file).split("/")
    if parts[-1] in _PACKAGE_FILES:
        parts.pop()
    for start in range(len(parts)):
        module = ".".join(parts[start:])
        if function.startswith(f"{module}."):
            return function[len(module) + 1 :]
    return function
