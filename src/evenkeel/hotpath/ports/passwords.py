"""Passwords: hashed in a pool of their own, behind limits that are checked before any hashing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Attempt:
    """Who tries: the client's address and the account name as typed; both are limited, and all attempts together."""

    address: str
    account: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """`valid`, and the `rehash` to store when the stored hash has other parameters than today's (else None)."""

    valid: bool
    rehash: str | None = None


@dataclass(frozen=True, slots=True)
class HashRules:
    """Argon2id at OWASP's minimum by default (19 MiB, t=2, p=1). A stored hash that asks for more memory than
    `max_memory_kib` or more passes than `max_time_cost` is refused, not computed. The pool's threads run at a priority
    lower by `niceness` (0 to 19, Linux alone), so that on a busy machine the event loop comes first.
    """

    memory_kib: int = 19_456
    time_cost: int = 2
    parallelism: int = 1
    workers: int = 1
    max_waiting: int = 16
    max_wait_s: float = 2.0
    per_address: int = 20
    per_account: int = 10
    overall: int = 200
    window_s: float = 60.0
    max_memory_kib: int = 262_144
    max_time_cost: int = 10
    niceness: int = 10


class PasswordHasher(Protocol):
    """Open with `async with`."""

    def check(self, attempt: Attempt) -> None:
        """Whether the limits would let this attempt through, before anything is read or parsed for it. Counts nothing;
        `account` "" = not known yet. Raises `TooManyAttemptsError`.
        """
        ...

    async def hash(self, password: str, attempt: Attempt) -> str:
        """A hash to store. Raises `TooManyAttemptsError`, `SaturatedError` (with `retry_after_s`),
        `UnencodableError`.
        """
        ...

    async def verify(self, password: str, stored: str | None, attempt: Attempt) -> Verdict:
        """Check a password. `stored` None = unknown user: takes as long as a known one. Raises as `hash`."""
        ...
