"""What an application's state holds: `app["db"] = pool` at start-up, `request.app["db"].fetch(...)` in every handler.

Nothing declares such a value. What is put under a key anywhere in the project is what the key gives; `app[DB]`, where `DB` is a
typed key (`web.AppKey("db", asyncpg.Pool)`), gives what the key says.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from evenkeel.audit.effects.scopes import Binding
from evenkeel.audit.effects.states import STATES, key_name
from evenkeel.audit.effects.types import PENDING, UNKNOWN, Type, first_known

if TYPE_CHECKING:
    from evenkeel.audit.effects.resolve import Resolver

TYPED_KEY = "aiohttp.web.AppKey"


class Kept:
    """Chains through an application's state, asked of one resolver; remembered."""

    def __init__(self, resolver: Resolver) -> None:
        self._resolver = resolver
        self._known: dict[str, Type] = {}

    def forget(self) -> None:
        """Drop what was answered before callers were asked what they pass."""
        self._known.clear()

    def concerns(self, chain: str, keys: tuple[str, ...]) -> bool:
        """Whether a chain may go through a state that something was put into."""
        if "state." in chain or "ctx." in chain:
            return any(keys) or ".state." in chain or ".ctx." in chain or chain.startswith(("state.", "ctx."))
        return any(keys)

    def chain(self, function_id: int, chain: str, call: int, position: int, keys: tuple[str, ...]) -> Type:
        """What a dotted chain gives, like `Resolver.chain`."""
        resolver, rest = self._resolver, list(keys)
        found, before = UNKNOWN, ""
        for number, segment in enumerate(chain.split(".")):
            name, depth = segment.partition("[")[0], segment.count("[]")
            own, rest = rest[:depth], rest[depth:]
            plain = resolver.read(found, name) if number else resolver.root(function_id, name, call, position)
            found = plain
            if before in {"state", "ctx"}:
                found = self._under(name) if not plain.name else plain
            if depth == 1 and own and own[0] and name in STATES:
                found = self._by_key(function_id, own[0], position) or resolver.segment(plain, segment)
            elif depth:
                found = resolver.segment(found, segment)
            before = name
        return found

    def _by_key(self, function_id: int, key: str, position: int) -> Type | None:
        if not key.startswith("'"):
            typed = self._resolver.chain(function_id, key, -1, position)
            if typed.name == TYPED_KEY and typed.args and typed.args[0].name:
                return typed.args[0]
        found = self._under(key_name(key))
        return found if found.name else None

    def _under(self, key: str) -> Type:
        known, resolver = self._known.get(key), self._resolver
        if known is PENDING:
            return resolver.cut()  # what is kept may be made from what is kept
        if known is None:
            self._known[key], cuts = PENDING, resolver.cuts
            puts = resolver.symbols.kept.get(key, ())
            types = (resolver.guarded(function_id, Binding(0, "assign", put, 0)) for function_id, put in puts)
            known = self._known[key] = first_known(tuple(types))
            if cuts != resolver.cuts:
                del self._known[key]
        return known
