"""User accounts: what login and quota need."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class NewUser:
    """An account to create; `roles` is a list of words joined by commas."""

    user_id: str
    username: str
    password_hash: str
    email: str = ""
    roles: str = "user"
    access_level: str = "A"
    unit_id: str = ""
    daily_quota: int = 0
    is_demo: bool = False


@dataclass(frozen=True, slots=True)
class UserAccount:
    """An account as stored; empty text = none."""

    user_id: str
    username: str
    email: str
    password_hash: str
    roles: str
    status: str
    access_level: str
    unit_id: str
    daily_quota: int
    daily_quota_used: int
    daily_quota_date: str
    is_demo: bool
    created_at: float
    updated_at: float
    last_login_at: float | None


@dataclass(frozen=True, slots=True)
class Quota:
    """After an attempt to consume: `allowed`, and how much of `limit` is used on `date` (0 = unlimited)."""

    allowed: bool
    used: int
    limit: int
    date: str


class Users(Protocol):
    """The table `user_accounts`."""

    async def create(self, user: NewUser) -> UserAccount:
        """Raises `NameTakenError` for a user name or an e-mail address that exists."""
        ...

    async def by_name(self, username: str) -> UserAccount | None:
        """The account that logs in under this name."""
        ...

    async def by_id(self, user_id: str) -> UserAccount | None:
        """The account of this id."""
        ...

    async def set_password(self, user_id: str, password_hash: str, *, replaces: str | None = None) -> bool:
        """Store a new hash; with `replaces`, only over that one (a rehash at login must not undo a password change)."""
        ...

    async def logged_in(self, user_id: str) -> None:
        """Set `last_login_at` to now."""
        ...

    async def change(
        self, user_id: str, *, username: str | None, email: str | None, unit_id: str | None
    ) -> UserAccount:
        """Change what is not None. Raises `NameTakenError`; `NotFoundError` for an unknown user."""
        ...

    async def consume_quota(self, user_id: str, date: str, amount: int = 1) -> Quota:
        """Check and take in one statement; a new `date` (YYYY-MM-DD) starts at 0 and an older one is refused as
        today's.
        """
        ...
