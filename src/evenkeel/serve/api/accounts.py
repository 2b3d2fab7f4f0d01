"""Accounts: made, logged in, changed. Passwords go through the passwords part, tokens are stored as hashes."""

from __future__ import annotations

import re
import secrets
from contextlib import suppress
from dataclasses import dataclass, replace

from evenkeel.hotpath.ports.errors import NameTakenError
from evenkeel.hotpath.ports.passwords import Attempt
from evenkeel.hotpath.ports.tokens import token_hash
from evenkeel.hotpath.ports.users import NewUser, UserAccount
from evenkeel.kernel.errors import UsageError
from evenkeel.serve.api.callers import Callers
from evenkeel.serve.api.settings import AuthSettings
from evenkeel.serve.ports.failures import CodedError
from evenkeel.serve.ports.parts import Parts

NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s]{1,190}")
PASSWORD_CHARACTERS = 1024
DEMO_ID = 24
LEVELS = ("A", "B", "C")


@dataclass(frozen=True, slots=True)
class Registration:
    """What a new user sends."""

    username: str
    password: str
    email: str = ""
    access_level: str = "A"


@dataclass(frozen=True, slots=True)
class LoggedIn:
    """A fresh token and whose it is. The token exists nowhere else."""

    token: str
    user: UserAccount


class Accounts:
    """The rules around user accounts."""

    def __init__(self, parts: Parts, settings: AuthSettings, callers: Callers) -> None:
        self._users = parts.storage.users
        self._tokens = parts.storage.tokens
        self._passwords = parts.passwords
        self._clock = parts.clock
        self._settings = settings
        self._callers = callers
        self._setup = ""

    async def register(self, wanted: Registration, address: str) -> LoggedIn:
        """Make an account and log it in. Raises UsageError for what cannot be, NameTakenError as a UsageError."""
        name = wanted.username.strip()
        if not self._settings.registration:
            raise CodedError("PERMISSION_DENIED", "Accounts are made by an administrator here.")
        _check(name, wanted.password)
        email = wanted.email.strip()
        if email and not EMAIL.fullmatch(email):
            raise UsageError("This is not an e-mail address.")
        if name == self._settings.admin_user or await self._users.by_name(name) is not None:
            raise UsageError("This user name is taken.", hint="Choose another.")  # before anything is hashed
        hashed = await self._passwords.hash(wanted.password, Attempt(address, name))
        level = wanted.access_level if wanted.access_level in LEVELS else "A"
        account = await self._create(
            NewUser(name, name, hashed, email, access_level=level, daily_quota=self._settings.daily_quota)
        )
        return await self._logged_in(account)

    async def log_in(self, username: str, password: str, address: str) -> LoggedIn:
        """A token for a valid password. Limits come before any hashing; an unknown user takes as long as a known."""
        name = username.strip()
        if not name or not password:
            raise UsageError("User name and password must not be empty.")
        attempt = Attempt(address, name[:64])
        self._passwords.check(attempt)  # before storage is asked for a name that somebody guesses
        account = await self._users.by_name(name) if NAME.fullmatch(name) else None
        stored = account.password_hash if account and account.password_hash else None
        if len(password) > PASSWORD_CHARACTERS:
            stored, password = None, password[:PASSWORD_CHARACTERS]
        verdict = await self._passwords.verify(password, stored, attempt)
        if account is None or not verdict.valid or account.status != "active":
            raise CodedError("UNAUTHORIZED", "User name or password is wrong.")
        if verdict.rehash is not None:
            await self._users.set_password(account.user_id, verdict.rehash, replaces=account.password_hash)
        return await self._logged_in(account)

    async def demo(self, demo_id: str) -> LoggedIn:
        """A user without a password; only where the server runs as a demonstration."""
        if not self._settings.demo:
            raise CodedError("PERMISSION_DENIED", "There is no demonstration here.", hint="Start with --demo.")
        cleaned = re.sub(r"[^A-Za-z0-9_-]", "", demo_id)[:DEMO_ID] or secrets.token_hex(4)
        name = f"demo_{cleaned}"
        account = await self._users.by_name(name)
        if account is None:
            new = NewUser(name, name, "", is_demo=True, daily_quota=self._settings.daily_quota)
            try:
                account = await self._users.create(new)
            except NameTakenError:  # two first visits at once
                account = await self._users.by_name(name)
        if account is None or not account.is_demo:
            raise UsageError("This demonstration user cannot be used.")
        return await self._logged_in(account)

    async def change(self, user_id: str, username: str | None, email: str | None) -> UserAccount:
        """Change a name or an address."""
        name = None if username is None else username.strip()
        if name is not None and (not NAME.fullmatch(name) or name == self._settings.admin_user != user_id):
            raise UsageError("A user name has 1 to 64 letters, digits, _ or -, and is not taken.")
        address = None if email is None else email.strip()
        if address and not EMAIL.fullmatch(address):
            raise UsageError("This is not an e-mail address.")
        try:
            account = await self._users.change(user_id, username=name, email=address, unit_id=None)
        except NameTakenError as error:
            raise UsageError(error.message, hint=error.hint) from None
        self._callers.changed(user_id)
        return account

    async def prepare_first_admin(self, secret: str = "") -> str:
        """Make the first administrator if the settings say how; else answer the secret of the one-time link.

        "" = there is one already. `secret`: one that was made elsewhere, as the processes of one host share theirs.
        """
        name = self._settings.admin_user
        if await self._users.by_name(name) is not None:
            return ""
        password = self._settings.admin_password or ("admin" if self._settings.demo else "")
        if password:
            with suppress(UsageError):  # another process was faster
                await self._make_admin(name, password)
            return ""
        self._setup = secret or secrets.token_urlsafe(24)
        return self._setup

    async def set_up(self, secret: str, username: str | None, password: str) -> LoggedIn:
        """Through the one-time link: the first administrator, once."""
        name = self._settings.admin_user
        if username is not None and username.strip() not in {"", name}:
            raise UsageError(f"The first administrator is called {name}.", hint="Set auth.admin_user to change that.")
        if not self._setup or not secrets.compare_digest(secret.encode(), self._setup.encode()):
            raise CodedError("PERMISSION_DENIED", "This link is not valid, or was used.")
        _check(name, password)
        account = await self._make_admin(name, password)
        self._setup = ""
        return await self._logged_in(account)

    async def _make_admin(self, name: str, password: str) -> UserAccount:
        hashed = await self._passwords.hash(password, Attempt("startup", name))
        return await self._create(NewUser(name, name, hashed, roles="admin", access_level="C"))

    async def _create(self, new: NewUser) -> UserAccount:
        try:
            return await self._users.create(new)
        except NameTakenError as error:  # the contract answers 400, not 409
            raise UsageError(error.message, hint=error.hint) from None

    async def _logged_in(self, account: UserAccount) -> LoggedIn:
        token = f"wund_{secrets.token_hex(16)}"
        await self._tokens.issue(token_hash(token), account.user_id, self._settings.token_ttl_s)
        await self._users.logged_in(account.user_id)
        return LoggedIn(token, replace(account, last_login_at=self._clock.wall_s()))


def _check(name: str, password: str) -> None:
    if not name or not password.strip():
        raise UsageError("User name and password must not be empty.")
    if not NAME.fullmatch(name):
        raise UsageError("A user name has 1 to 64 letters, digits, _ or -.")
    if len(password) > PASSWORD_CHARACTERS:
        raise UsageError(f"A password has at most {PASSWORD_CHARACTERS} characters.")
