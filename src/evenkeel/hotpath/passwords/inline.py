"""Rollback path: hashed on the event loop, which stands still for every login."""

from __future__ import annotations

from evenkeel.hotpath.passwords.hashing import Hashing, encoded
from evenkeel.hotpath.ports.passwords import Attempt, Verdict


class InlineHasher:
    """`PasswordHasher` without a pool."""

    def __init__(self, hashing: Hashing) -> None:
        self._hashing = hashing

    async def hash(self, password: str, attempt: Attempt) -> str:  # noqa: ARG002 counted outside
        """See the port."""
        return self._hashing.hash(encoded(password))

    async def verify(self, password: str, stored: str | None, attempt: Attempt) -> Verdict:  # noqa: ARG002
        """See the port."""
        return self._hashing.verify(encoded(password), stored)
