"""What a project or a caller can set about its audit: `[tool.evenkeel]` in pyproject.toml, or evenkeel.toml."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

FailOn = Literal["critical", "high", "medium", "low"]
Positive = Annotated[int, msgspec.Meta(ge=1, le=256)]
Seconds = Annotated[float, msgspec.Meta(gt=0)]


class AuditSettings(msgspec.Struct, frozen=True, kw_only=True, rename="kebab", forbid_unknown_fields=True):
    """Every key has a default; None and empty mean: as if it were not there."""

    select: tuple[str, ...] = ()  # slugs or categories; empty: all rules
    ignore: tuple[str, ...] = ()  # slugs or categories
    exclude: tuple[str, ...] = ()  # gitignore-style patterns, relative to the root
    fail_on: FailOn | None = None
    per_file_ignores: dict[str, tuple[str, ...]] = {}  # gitignore-style pattern -> slugs or categories
    jobs: Positive | None = None  # processes that read; None: one per processor
    timeout: Seconds | None = None  # of each worker, in seconds
    lang: Literal["en", "zh"] = "en"  # of reports, plan and task
    baseline: str | None = None  # file, relative to the root: its findings are known and not reported
    effects: dict[str, Any] = {}  # the project's own catalogue
