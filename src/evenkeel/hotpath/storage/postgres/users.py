"""Accounts and tokens on PostgreSQL."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import astuple, dataclass

import asyncpg

from evenkeel.hotpath.ports.errors import NameTakenError
from evenkeel.hotpath.ports.tokens import TokenOwner
from evenkeel.hotpath.ports.users import NewUser, Quota, UserAccount
from evenkeel.hotpath.storage.checks import check_ids
from evenkeel.hotpath.storage.postgres.access import Access
from evenkeel.hotpath.storage.postgres.connections import Connection
from evenkeel.hotpath.storage.rows import Row, user_account
from evenkeel.kernel.errors import NotFoundError


@dataclass(frozen=True, slots=True)
class PostgresUsers:
    """`Users`."""

    access: Access

    async def create(self, user: NewUser) -> UserAccount:
        """See the port."""
        check_ids(self.access.settings.bounds.id_bytes, user.user_id, user.username, user.email, user.roles)
        user_id, username, password_hash, email, *more = astuple(user)
        values = (user_id, username, email or None, password_hash, *more)
        row = await self.access.row("create_user", self.access.now(), *values)
        if row is None:
            raise NameTakenError("This user name or e-mail address")
        return user_account(row)

    async def by_name(self, username: str) -> UserAccount | None:
        """See the port."""
        check_ids(self.access.settings.bounds.id_bytes, username)
        row = await self.access.row("user_by_name", username)
        return None if row is None else user_account(row)

    async def by_id(self, user_id: str) -> UserAccount | None:
        """See the port."""
        check_ids(self.access.settings.bounds.id_bytes, user_id)
        row = await self.access.row("user_by_id", user_id)
        return None if row is None else user_account(row)

    async def set_password(self, user_id: str, password_hash: str, *, replaces: str | None = None) -> bool:
        """See the port."""
        row = await self.access.row("set_password", self.access.now(), user_id, password_hash, replaces)
        return row is not None

    async def logged_in(self, user_id: str) -> None:
        """See the port."""
        await self.access.rows("logged_in", self.access.now(), user_id)

    async def change(
        self, user_id: str, *, username: str | None, email: str | None, unit_id: str | None
    ) -> UserAccount:
        """See the port."""
        check_ids(self.access.settings.bounds.id_bytes, user_id, username or "", email or "", unit_id or "")
        values = (self.access.now(), user_id, username, email, unit_id)

        async def change(db: Connection) -> list[Row]:
            try:
                return await self.access.on(db, "change_user", *values)
            except asyncpg.UniqueViolationError:
                raise NameTakenError("This user name or e-mail address") from None

        rows = await self.access.run.run("change_user", change)
        if not rows:
            raise NotFoundError(f"There is no user {user_id!r}.", hint="Log in again.")
        return user_account(rows[0])

    async def consume_quota(self, user_id: str, date: str, amount: int = 1) -> Quota:
        """See the port."""
        row = await self.access.row("consume_quota", user_id, date, amount)
        if row is not None:
            return Quota(True, *row)
        account = await self.by_id(user_id)
        if account is None:
            raise NotFoundError(f"There is no user {user_id!r}.", hint="Log in again.")
        return Quota(False, account.daily_quota_used, account.daily_quota, account.daily_quota_date)


@dataclass(frozen=True, slots=True)
class PostgresTokens:
    """`Tokens`."""

    access: Access

    async def issue(self, hashed: str, user_id: str, ttl_s: float) -> float:
        """See the port."""
        rows = await self.access.rows("issue_token", self.access.now(), hashed, user_id, ttl_s)
        return float(rows[0][0])

    async def owner(self, hashed: str) -> TokenOwner | None:
        """See the port."""
        row = await self.access.row("token_owner", self.access.now(), hashed)
        return None if row is None else TokenOwner(user_account(tuple(row)[1:]), row[0])

    async def touch(self, used_at: Mapping[str, float]) -> None:
        """See the port."""
        await self.access.rows("touch_tokens", list(used_at), list(used_at.values()))

    async def revoke(self, hashed: str) -> None:
        """See the port."""
        await self.access.rows("revoke_token", hashed)

    async def sweep(self, limit: int = 500) -> int:
        """See the port."""
        return len(await self.access.rows("sweep_tokens", self.access.now(), limit))
