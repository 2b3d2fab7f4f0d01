"""What a query is keyed with."""

from __future__ import annotations

import re

_KEY = re.compile(r"\b(?:\w*id|pk|uuid|slug|key|code|token|email|username|name)\b\s*==?\s*([A-Za-z_][\w.]*)")


def key_of(steps: tuple[str, ...]) -> str:
    """What a query is keyed with, as written: `where(User.id == user_id)` -> `user_id`; "" when it is not."""
    for step in steps:
        match = _KEY.search(step)
        if match and match.group(1) not in {"None", "True", "False"}:
            return match.group(1)
    return ""
