"""New or loaded? Whether the object that a call saves was made here: then saving it is an INSERT, else an UPDATE.

`session.add(obj)` and `obj.save()` are both, by their names: what tells them apart is where the object comes from.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from evenkeel.audit.effects.types import UNKNOWN
from evenkeel.audit.model.effects import Effect, EffectKind
from evenkeel.audit.model.facts import Assignment, Call, Value

if TYPE_CHECKING:
    from evenkeel.audit.effects.resolve import Resolver

KEYS = ("pk", "id")
MAX_STEPS = 4  # from name to name


def sharpened(
    resolver: Resolver, function_id: int, call: Call, effects: Iterable[Effect], first: Value | None
) -> list[Effect]:
    """What is added to the effects of saving one object: `first` is the call's first argument.

    An unspecified pending save of a new object is a pending INSERT; an unspecified write (`obj.save()`) becomes an
    INSERT for a new object and an UPDATE for one that something else loaded."""
    found = {each.kind: each for each in effects}
    pending, write = found.get("db-pending"), found.get("db-write")
    unspecified = pending is not None and not found.keys() & {"db-pending-delete", "db-bulk", "db-read"}
    if (
        pending is not None
        and unspecified
        and first is not None
        and is_new(resolver, function_id, first, call.position)
    ):
        return [_as(pending, "db-pending-insert")]
    if write is not None and not found.keys() & {"db-insert", "db-update", "db-bulk"} and call.callee.count("."):
        holder = Value("name", call.callee.rpartition(".")[0], call.receiver)
        if is_new(resolver, function_id, holder, call.position):
            return [_as(write, "db-insert")]
        if is_local(resolver, function_id, holder.text):
            return [_as(write, "db-update")]
    return []


def _as(effect: Effect, kind: EffectKind) -> Effect:
    return Effect(kind, effect.detail, effect.blocking, effect.certain)


def is_new(resolver: Resolver, function_id: int, value: Value, position: int, steps: int = MAX_STEPS) -> bool:
    """Whether the value is made by a class here: `User(...)`, `User.model_validate(data)`, or a name bound to that; or is a
    copy whose key was emptied."""
    if value.kind == "call" or (value.kind == "name" and value.text == "<call>"):
        return value.call >= 0 and _constructs(resolver, function_id, value.call)
    if value.kind != "name" or "." in value.text or steps == 0:
        return False
    if _is_copied(resolver, function_id, value.text, position):
        return True
    bindings = [each for each in resolver.scope(function_id).get(value.text, ()) if each.position < position]
    if not bindings or bindings[-1].kind != "assign":
        return False
    payload = getattr(bindings[-1].payload, "value", None)
    return payload is not None and is_new(resolver, function_id, payload, bindings[-1].position, steps - 1)


def _constructs(resolver: Resolver, function_id: int, index: int) -> bool:
    callee = resolver.call(function_id, index)[0]
    if callee.name == "type":
        return True
    receiver = callee.args[0] if callee.args else UNKNOWN
    on_class = callee.name.startswith("bound:") and receiver.name == "type"
    spec = resolver.library.call(callee.name.partition(":")[2])
    return on_class and not spec.effects and spec.statement < 0 and not spec.entity


def _is_copied(resolver: Resolver, function_id: int, name: str, position: int) -> bool:
    """Whether a loaded row was made into a new one: `row.pk = None`, and it is inserted when it is saved."""
    scope = resolver.scope(function_id)
    bound = [each.position for each in scope.get(name, ()) if each.position < position]
    keys = (each for key in KEYS for each in scope.get(f"{name}.{key}", ()))
    emptied = (each for each in keys if max(bound, default=-1) < each.position < position)
    return any(isinstance(each.payload, Assignment) and each.payload.value.text == "None" for each in emptied)


def is_local(resolver: Resolver, function_id: int, name: str) -> bool:
    """Whether a bare name is bound in the function by a loop or by a call: an object that came from somewhere."""
    bindings = resolver.scope(function_id).get(name, [])
    return bool(bindings) and bindings[-1].kind in {"loop", "assign"}
