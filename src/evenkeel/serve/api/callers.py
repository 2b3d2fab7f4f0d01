"""Who calls: from a token or the server's key to an identity, with what was looked up kept for a while."""

from __future__ import annotations

import hmac
from collections.abc import Callable, MutableMapping

from starlette.datastructures import Headers

from evenkeel.hotpath.ports.bounded import BoundedMaps, MapRules
from evenkeel.hotpath.ports.storage import Storage
from evenkeel.hotpath.ports.tokens import TokenOwner, token_hash
from evenkeel.hotpath.ports.users import UserAccount
from evenkeel.kernel.clock import Clock
from evenkeel.serve.api.settings import AuthSettings
from evenkeel.serve.ports.identity import Identity

UNKNOWN_S = 5.0
TOKEN_BYTES = 256
PREFIXES = ("wunder-auth.", "access_token.", "token.")
OPERATOR = Identity("", "", frozenset({"admin"}), registered=False, trusted=True)
Asked = TokenOwner | None


class Callers:
    """Looks tokens up, once in `cache_s`. A revoked one is forgotten here at once, elsewhere within `cache_s`."""

    def __init__(self, settings: AuthSettings, storage: Storage, maps: BoundedMaps, clock: Clock) -> None:
        self._key = settings.api_key.encode()
        self._storage = storage
        self._clock = clock
        rules = MapRules[str, tuple[float, Asked]]
        self._tokens = maps.map(rules("api-tokens", settings.cache_entries, settings.cache_s))
        self._unknown = maps.map(rules("api-unknown-tokens", settings.cache_entries, UNKNOWN_S))
        self._accounts: MutableMapping[str, UserAccount | None] = maps.map(
            MapRules[str, UserAccount | None]("api-accounts", settings.cache_entries, settings.cache_s)
        )
        self._used = maps.map(MapRules[str, float]("api-token-uses", settings.cache_entries))

    @property
    def has_key(self) -> bool:
        """Whether the server has a key at all."""
        return bool(self._key)

    def is_key(self, candidate: str) -> bool:
        """Whether this is the server's key; takes as long for any guess."""
        return bool(self._key) and hmac.compare_digest(candidate.encode("utf-8", "surrogatepass"), self._key)

    async def operator(self, headers: Headers) -> Identity | None:
        """Who may walk the admin paths: the server's key, or a token of an administrator. None = neither."""
        if self.is_key(headers.get("x-api-key", "")):
            return OPERATOR
        bearer = bearer_of(headers)
        if self.is_key(bearer):
            return OPERATOR
        user = await self.user(bearer)
        if user is None or not user.is_admin:
            return None
        return Identity(user.user_id, user.username, user.roles, trusted=True)

    async def user(self, token: str) -> Identity | None:
        """Whose token it is; None for none, an unknown, an expired or a disabled one."""
        account = await self.account(token)
        return None if account is None else identity_of(account)

    async def account(self, token: str) -> UserAccount | None:
        """The account behind a token."""
        if not token or len(token) > TOKEN_BYTES:
            return None
        hashed = token_hash(token)
        now = self._clock.wall_s()
        kept = self._tokens.get(hashed) or self._unknown.get(hashed)
        owner = kept[1] if kept and kept[0] > now else await self._look_up(hashed, now)
        if owner is None:
            return None
        self._used[hashed] = now
        return owner.user

    async def target(self, user_id: str) -> Identity:
        """The user that a trusted caller names; one without an account is a virtual user: no quota, no roles."""
        kept = self._accounts.get(user_id, ...)
        account: UserAccount | None
        if kept is ...:
            account = self._accounts[user_id] = await self._storage.users.by_id(user_id)
        else:
            account = kept
        if account is None:
            return Identity(user_id, registered=False)
        return identity_of(account)

    async def revoke(self, token: str) -> None:
        """End a token."""
        hashed = token_hash(token)
        await self._storage.tokens.revoke(hashed)
        self._tokens.pop(hashed, None)

    def changed(self, user_id: str) -> None:
        """An account changed: look it up again."""
        self._accounts.pop(user_id, None)
        stale = [key for key, (_, owner) in self._tokens.items() if owner and owner.user.user_id == user_id]
        for key in stale:
            self._tokens.pop(key, None)

    async def note_uses(self) -> None:
        """Store when tokens were last used; called now and then, never on the way of a request."""
        used = dict(self._used.items())
        self._used.clear()
        if used:
            await self._storage.tokens.touch(used)

    async def _look_up(self, hashed: str, now: float) -> TokenOwner | None:
        owner = await self._storage.tokens.owner(hashed)
        if owner is None:
            self._unknown[hashed] = (now + UNKNOWN_S, None)
        else:
            self._tokens[hashed] = (owner.expires_at, owner)
        return owner


def identity_of(account: UserAccount) -> Identity:
    """An account as a caller."""
    roles = frozenset(role.strip() for role in account.roles.split(",") if role.strip())
    return Identity(account.user_id, account.username, roles)


def bearer_of(headers: Headers) -> str:
    """The token of `Authorization: Bearer`."""
    kind, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() if kind.lower() == "bearer" else ""


def socket_token(headers: Headers, subprotocols: list[str], query: Callable[[str], str | None]) -> str:
    """The token of a WebSocket's upgrade: browsers cannot set headers there, so a subprotocol or the query may hold
    it.
    """
    bearer = bearer_of(headers)
    if bearer:
        return bearer
    for protocol in subprotocols:
        for prefix in PREFIXES:
            if protocol.startswith(prefix):
                return protocol.removeprefix(prefix)
    return query("access_token") or query("token") or ""
