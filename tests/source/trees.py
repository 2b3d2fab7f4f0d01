"""Small source trees on disk."""

from __future__ import annotations

from pathlib import Path


def grow(root: Path, files: dict[str, str | bytes]) -> Path:
    """Write files (relative path -> content) under `root`, and answer it."""
    for path, content in files.items():
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content.encode() if isinstance(content, str) else content)
    return root


def state_of(root: Path) -> dict[str, tuple[int, int]]:
    """Every path below `root` with its size and modification time, to show that nothing was touched."""
    found = {}
    for path in sorted(root.rglob("*")):
        status = path.lstat()
        found[path.relative_to(root).as_posix()] = (status.st_size, status.st_mtime_ns)
    return found
