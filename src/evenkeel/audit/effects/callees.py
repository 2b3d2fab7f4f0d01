"""What is called: library name, project functions, receiver. A call through a base type may reach every override."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from itertools import islice

from evenkeel.audit.effects.latest import answers
from evenkeel.audit.effects.resolve import Resolver
from evenkeel.audit.effects.types import SUPER, UNKNOWN, Type
from evenkeel.audit.model.facts import Call
from evenkeel.audit.model.index import CallMode

USUAL_METHODS = frozenset(
    {
        "get",
        "set",
        "add",
        "update",
        "delete",
        "create",
        "save",
        "load",
        "read",
        "write",
        "run",
        "start",
        "stop",
        "close",
    }
    | {"open", "send", "receive", "execute", "commit", "process", "handle", "append", "remove", "pop", "clear", "copy"}
    | {"items", "keys", "values", "find", "filter", "all", "first", "list", "count", "format", "parse", "encode"}
    | {"decode", "call", "apply"}
)
# Methods of values that need no annotation to be common: a name they have says nothing about who is called.
VALUES = (str, bytes, bytearray, int, float, list, dict, set, tuple, re.Pattern, re.Match, date, datetime, timedelta)
COMMON_METHODS = USUAL_METHODS | {name for each in VALUES for name in dir(each)}

AWAITABLE = re.compile(r"Awaitable|Coroutine|Future|Task|Any\b")
MAX_OVERRIDES = 24
REMEMBERED = 16_384


@dataclass(slots=True)
class Described:
    """What a callee type is, split by what linking needs."""

    library: str = ""
    targets: list[int] = field(default_factory=list)
    runs: list[int] = field(default_factory=list)
    handed: list[str] = field(default_factory=list)  # library callables that it runs through an argument
    mode: CallMode = ""
    applied: int = -1  # argument over whose elements they are run
    receiver: Type = UNKNOWN
    base: Type = UNKNOWN
    certain: bool = True


class Callees:
    """Splits callee types, for one resolver."""

    def __init__(self, resolver: Resolver, overrides: dict[int, tuple[int, ...]], unique: dict[str, int]) -> None:
        """`overrides`: method -> methods of subclasses that replace it; `unique`: method names defined exactly once."""
        self.resolver = resolver
        self.symbols = resolver.symbols
        self._overrides = overrides
        self._dispatch: dict[tuple[int, Type], tuple[int, ...]] = {}
        self._unique = unique
        self._described: dict[Type, Described] = answers(REMEMBERED, held=resolver.symbols.held)

    def describe(self, callee: Type) -> Described:
        """Library name, project targets and receiver of a callee type; the caller's own to change."""
        known = self.known(callee)
        return Described(
            known.library, [*known.targets], [*known.runs], [*known.handed], known.mode, known.applied, known.receiver,
            known.base, known.certain,
        )  # fmt: skip

    def known(self, callee: Type) -> Described:
        """As `describe`, made once for all who only read it."""
        found = self._described.get(callee)
        if found is None:
            found = Described()
            for each in callee.args if callee.name == "union" else (callee,):
                self._describe_one(each, found)
            self._described[callee] = found
        return found

    def _describe_one(self, callee: Type, found: Described) -> None:
        kind, _, rest = callee.name.partition(":")
        if callee.name == "type" and callee.args:
            self._describe_class(callee.args[0], found)
        elif callee.name == "offloaded":
            found.mode = "offload"
            inner = self.known(callee.args[0])
            found.runs.extend(inner.targets)
            found.handed.extend([inner.library] if inner.library else [])
        elif kind == "def":
            found.receiver = callee.args[0] if callee.args else UNKNOWN
            found.targets.append(int(rest))
            if callee.args[1:] != (SUPER,):
                found.targets.extend(self._overriding(int(rest), found.receiver))
        elif kind in {"lib", "bound"}:
            self._describe_library(rest, callee.args, found)
        elif callee.name == "union":
            for each in callee.args:
                self._describe_one(each, found)
        elif kind not in {"", "module", "var"}:
            method = self.resolver.member(callee, "__call__")
            if method.name:
                self._describe_one(method, found)

    @staticmethod
    def _describe_library(name: str, bound_to: tuple[Type, ...], found: Described) -> None:
        if name == found.library and found.receiver.args and not any(each.args for each in bound_to):
            return  # the same method of a manager of the project's own: what manages which model is known already
        found.library = name
        found.receiver = bound_to[0] if bound_to else UNKNOWN
        found.base = bound_to[1] if len(bound_to) > 1 else found.receiver
        if found.base.name == "?":
            found.certain, found.base = False, found.receiver

    def _describe_class(self, of: Type, found: Described) -> None:
        symbol = self.symbols.classes.get(of.name)
        if symbol is None:
            found.library = of.name
            return
        for name in ("__init__", "__post_init__", "__new__"):
            method = self.resolver.member(of, name)
            if method.name.startswith("def:"):
                found.targets.append(int(method.name[4:]))

    def _overriding(self, function_id: int, receiver: Type) -> tuple[int, ...]:
        """Overriding methods that a call through a base type may reach; none where too many to say anything of a call."""
        candidates = self._overrides.get(function_id, ())
        if not candidates:
            return ()
        key = (function_id, receiver)
        known = self._dispatch.get(key)
        if known is None:
            known = tuple(islice(self._dispatched(function_id, receiver), MAX_OVERRIDES + 1))
            known = self._dispatch[key] = known if len(known) <= MAX_OVERRIDES else ()
        return known

    def _dispatched(self, function_id: int, receiver: Type) -> Iterator[int]:
        for each in self._overrides.get(function_id, ()):
            owner = self.resolver.owner(each)
            declared = self.resolver.owner(function_id)
            nominal = owner is None or declared is None or self._derives(owner.name, declared.name)
            if (
                not nominal
                or not receiver.name
                or receiver.name == "type"
                or owner is None
                or any(_may_be(base, receiver) for base in self.resolver.lineage(Type(owner.name)))
            ):
                yield each

    def _derives(self, name: str, base: str) -> bool:
        return any(each.name == base for each in self.resolver.lineage(Type(name)))

    def guess(self, call: Call) -> int:
        """An unknown receiver: a method name that only one class of the project defines is taken for it; else -1."""
        holder, _, name = call.callee.rpartition(".")
        if holder and name not in COMMON_METHODS and holder != "<expr>":
            found = self._unique.get(name, -1)
            return -1 if found >= 0 and call.awaited and not self._may_be_awaited(found) else found
        return -1

    def _may_be_awaited(self, function_id: int) -> bool:
        """Whether a function may give an awaitable: it is async, says so, or says nothing."""
        function = self.symbols.function(function_id)
        return function.is_async or may_give_awaitable(function.returns)


def may_give_awaitable(returns: str) -> bool:
    """Whether a plain function may give something to await: its annotation says so, or there is none."""
    return not returns or AWAITABLE.search(returns) is not None


def _may_be(base: Type, receiver: Type) -> bool:
    """Whether a subclass whose base is `base` fits a receiver: `Repository[User]` is never a `Repository[Order]`."""
    if base.name != receiver.name:
        return False
    names = [(left.name, right.name) for left, right in zip(base.args, receiver.args, strict=False)]
    return all(left == right or not (_is_settled(left) and _is_settled(right)) for left, right in names)


def _is_settled(name: str) -> bool:
    return bool(name) and not name.startswith("var:")
