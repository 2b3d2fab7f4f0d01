"""Access tokens: only their hashes are stored, so a copy of the database opens no door."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from evenkeel.hotpath.ports.users import UserAccount


def token_hash(token: str) -> str:
    """What is stored for a token: SHA-256, hex. A token has 128 random bits, so a slow hash would add nothing."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


@dataclass(frozen=True, slots=True)
class TokenOwner:
    """Whose token it is, and until when it may be cached (Unix seconds)."""

    user: UserAccount
    expires_at: float


class Tokens(Protocol):
    """The table `user_tokens`; its column `token` holds the hash."""

    async def issue(self, hashed: str, user_id: str, ttl_s: float) -> float:
        """Store a token's hash; answers when it ends (Unix seconds). Repeatable."""
        ...

    async def owner(self, hashed: str) -> TokenOwner | None:
        """Account and end of a live token in one read; None for unknown, expired or disabled. Writes nothing."""
        ...

    async def touch(self, used_at: Mapping[str, float]) -> None:
        """Store last uses gathered in memory (hash -> Unix seconds), in one statement; never moves one back."""
        ...

    async def revoke(self, hashed: str) -> None:
        """End a token now. Repeatable."""
        ...

    async def sweep(self, limit: int = 500) -> int:
        """Remove expired tokens. For the janitor alone."""
        ...
