"""Who asks."""

from __future__ import annotations

from dataclasses import dataclass

ADMIN_ROLES = frozenset({"admin", "super_admin"})


@dataclass(frozen=True, slots=True)
class Identity:
    """A caller whose credentials were checked, or the user on whose behalf an administrator acts.

    `registered` = there is an account, so its daily quota applies. `trusted` = came with the server's API key or an
    administrator's token, so it may name any user.
    """

    user_id: str
    username: str = ""
    roles: frozenset[str] = frozenset({"user"})
    registered: bool = True
    trusted: bool = False

    @property
    def is_admin(self) -> bool:
        """Skips the limit, the quota and trimming; never the lease of a session."""
        return bool(self.roles & ADMIN_ROLES)
