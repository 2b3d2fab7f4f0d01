"""Accounts and tokens on SQLite."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import apsw

from evenkeel.hotpath.ports.errors import NameTakenError
from evenkeel.hotpath.ports.tokens import TokenOwner
from evenkeel.hotpath.ports.users import NewUser, Quota, UserAccount
from evenkeel.hotpath.storage.checks import check_ids
from evenkeel.hotpath.storage.rows import user_account
from evenkeel.hotpath.storage.sqlite.access import Access
from evenkeel.kernel.errors import NotFoundError


@dataclass(frozen=True, slots=True)
class SqliteUsers:
    """`Users`."""

    access: Access

    async def create(self, user: NewUser) -> UserAccount:
        """See the port."""
        check_ids(self.access.settings.bounds.id_bytes, user.user_id, user.username, user.email, user.roles)
        values = asdict(user) | {"email": user.email or None}
        row = await self.access.run.write("create_user", lambda db: self.access.row(db, "create_user", **values))
        if row is None:
            raise NameTakenError("This user name or e-mail address")
        return user_account(row)

    async def by_name(self, username: str) -> UserAccount | None:
        """See the port."""
        check_ids(self.access.settings.bounds.id_bytes, username)
        row = await self.access.run.read(
            "user_by_name", lambda db: self.access.row(db, "user_by_name", username=username)
        )
        return None if row is None else user_account(row)

    async def by_id(self, user_id: str) -> UserAccount | None:
        """See the port."""
        check_ids(self.access.settings.bounds.id_bytes, user_id)
        row = await self.access.run.read("user_by_id", lambda db: self.access.row(db, "user_by_id", user_id=user_id))
        return None if row is None else user_account(row)

    async def set_password(self, user_id: str, password_hash: str, *, replaces: str | None = None) -> bool:
        """See the port."""
        values = {"user_id": user_id, "password_hash": password_hash, "replaces": replaces}
        row = await self.access.run.write("set_password", lambda db: self.access.row(db, "set_password", **values))
        return row is not None

    async def logged_in(self, user_id: str) -> None:
        """See the port."""
        await self.access.run.write("logged_in", lambda db: self.access.rows(db, "logged_in", user_id=user_id))

    async def change(
        self, user_id: str, *, username: str | None, email: str | None, unit_id: str | None
    ) -> UserAccount:
        """See the port."""
        check_ids(self.access.settings.bounds.id_bytes, user_id, username or "", email or "", unit_id or "")

        def change(db: apsw.Connection) -> UserAccount:
            try:
                row = self.access.row(
                    db, "change_user", user_id=user_id, username=username, email=email, unit_id=unit_id
                )
            except apsw.ConstraintError:
                raise NameTakenError("This user name or e-mail address") from None
            if row is None:
                raise NotFoundError(f"There is no user {user_id!r}.", hint="Log in again.")
            return user_account(row)

        return await self.access.run.write("change_user", change)

    async def consume_quota(self, user_id: str, date: str, amount: int = 1) -> Quota:
        """See the port."""

        def consume(db: apsw.Connection) -> Quota:
            row = self.access.row(db, "consume_quota", user_id=user_id, date=date, amount=amount)
            if row is not None:
                return Quota(True, *row)
            account = self.access.row(db, "user_by_id", user_id=user_id)
            if account is None:
                raise NotFoundError(f"There is no user {user_id!r}.", hint="Log in again.")
            return Quota(False, account[9], account[8], account[10])

        return await self.access.run.write("consume_quota", consume)


@dataclass(frozen=True, slots=True)
class SqliteTokens:
    """`Tokens`."""

    access: Access

    async def issue(self, hashed: str, user_id: str, ttl_s: float) -> float:
        """See the port."""
        rows = await self.access.run.write(
            "issue_token", lambda db: self.access.rows(db, "issue_token", token=hashed, user_id=user_id, ttl_s=ttl_s)
        )
        return float(rows[0][0])

    async def owner(self, hashed: str) -> TokenOwner | None:
        """See the port."""
        row = await self.access.run.read("token_owner", lambda db: self.access.row(db, "token_owner", token=hashed))
        return None if row is None else TokenOwner(user_account(row[1:]), row[0])

    async def touch(self, used_at: Mapping[str, float]) -> None:
        """See the port."""
        rows = list(used_at.items())

        def touch(db: apsw.Connection) -> None:
            db.executemany(self.access.sql["touch_token"], rows)

        await self.access.run.write("touch_tokens", touch)

    async def revoke(self, hashed: str) -> None:
        """See the port."""
        await self.access.run.write("revoke_token", lambda db: self.access.rows(db, "revoke_token", token=hashed))

    async def sweep(self, limit: int = 500) -> int:
        """See the port."""
        return await self.access.run.write(
            "sweep_tokens", lambda db: len(self.access.rows(db, "sweep_tokens", limit=limit))
        )
