"""Small trees, written from strings."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.discovery.profiles import Project


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Writes files (relative path -> content) below a fresh folder and gives that folder."""

    def write(files: Mapping[str, str | bytes]) -> Path:
        root = tmp_path / "project"
        root.mkdir(exist_ok=True)
        for name, content in files.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        return root

    return write
