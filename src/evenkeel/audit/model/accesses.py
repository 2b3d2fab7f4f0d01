"""What one call does to the database, in one word: read, insert, update, ... directly or through what it calls.

A call may reach many effects. Rules about loops need the one that the loop multiplies: the nearest write that is not a
bulk statement and that no inner loop repeats already, or else the nearest read.
"""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

from evenkeel.audit.model.effects import EffectKind
from evenkeel.audit.model.view import CallView, Reach

AccessKind = Literal["read", "refresh", "find-or-insert", "insert", "update", "delete", "save", "pending"]

KINDS: tuple[EffectKind, ...] = (
    "db-read",
    "db-refresh",
    "db-write",
    "db-insert",
    "db-update",
    "db-delete",
    "db-bulk",
    "db-pending",
    "db-pending-insert",
    "db-pending-delete",
    "db-flush",
    "commit",
)
NO_ENTITIES = frozenset(
    {
        "Select",
        "Query",
        "QuerySet",
        "Manager",
        "Column",
        "Row",
        "Table",
        "Model",
        "Any",
        "object",
        "tuple",
        "list",
        "dict",
    }
    | {"int", "str", "bool", "float", "UUID", "datetime", "schema", "Result", "ScalarResult"}
)
SCHEMA = "schema"  # the detail of what is done to tables: there are as many as tables, not as rows
FAR = 4  # steps of a witness path
READS = re.compile(
    r"_*(get|find|fetch|load|list|read|count|exists?|is|has|search|query|select|check|lookup|resolve|iter|all|one|first"
    r"|by|can|may|validate|verify)(_|$)"
)
WRITES: tuple[EffectKind, ...] = ("db-write", "db-insert", "db-update", "db-delete")


class Access(NamedTuple):
    """`kind` is `save` for a write that may be either, and `pending` for a change that something else has to flush.

    `certain` is False when the kind is inferred: a commit after reads is taken for an update."""

    kind: AccessKind
    reach: Reach
    certain: bool = True

    @property
    def entity(self) -> str:
        """The entity or table, short; "" when unknown."""
        return short_entity(self.reach.effect.detail)


def short_entity(detail: str) -> str:
    """`app.models.User` as a reader says it: `User`; "" for what is no entity, a type variable or a query's own type."""
    short = detail.rpartition(".")[2]
    return "" if detail.startswith("var:") or short in NO_ENTITIES else short


def access(call: CallView, *, spawned: bool = False, shared: bool = False) -> Access | None:
    """What the loop around a call would multiply; None when the call leaves the database alone.

    `shared`: every pass calls the same object, so that what it keeps on itself costs once. What a row keeps on itself and
    stores (`if self.started is None: self.started = ...; self.save()`) costs once in the row's life."""
    found: dict[str, list[Reach]] = {}
    reaches = call.reaches(*KINDS, spawned=spawned)
    stored = any(each.kept and each.effect.kind in WRITES for each in reaches)
    for reach in reaches:
        if not (reach.looped or reach.effect.detail == SCHEMA or (reach.kept and (shared or stored))):
            found.setdefault(reach.effect.kind, []).append(reach)
    if not found:
        return None
    looped = any(each.looped for each in call.reaches(*WRITES, "db-pending", spawned=spawned))
    inferred = not looped and READS.match(call.name) is None
    in_bulk = {reach.path[-1] for reach in found.pop("db-bulk", ())}
    for kind in WRITES:
        found[kind] = [each for each in found.get(kind, ()) if each.path[-1] not in in_bulk]
    written, read = _written(found, inferred=inferred), _read(found)
    return read if written is not None and read is not None and _is_aside(call, written, read) else written or read


def _is_aside(call: CallView, written: Access, read: Access) -> bool:
    """A write deep below a callee that reads right away (a default row made when missing) is not what the call does, and
    neither is one to a table that nothing names (a temporary one) below a callee that is named after reading."""
    if not written.entity and not written.reach.direct and READS.match(call.name):
        return True
    return len(written.reach.path) > FAR and len(read.reach.path) < len(written.reach.path) - 1


def _written(found: dict[str, list[Reach]], *, inferred: bool) -> Access | None:
    insert, change = _insert(found), _change(found)
    if insert is not None and change is not None:
        nearer = len(insert.reach.path) < len(change.reach.path)
        return insert if nearer and insert.kind == "insert" else change
    return insert or change or _saved(found, inferred=inferred)


def _insert(found: dict[str, list[Reach]]) -> Access | None:
    nearest = _first(found, "db-insert") or (_first(found, "db-pending-insert") if _flushes(found) else None)
    if nearest is None:
        return None
    looked_up = _lookup(found, nearest)
    return Access("find-or-insert", looked_up) if looked_up is not None else Access("insert", nearest)


def _lookup(found: dict[str, list[Reach]], insert: Reach) -> Reach | None:
    """The SELECT of get-or-create: the same entity is read before it is inserted, and not only read back after."""
    refreshed = {each.path[-1] for each in found.get("db-refresh", ())}
    reads = (each for each in found.get("db-read", ()) if each.path[-1] not in refreshed)
    same = (each for each in reads if each.effect.detail and each.effect.detail == insert.effect.detail)
    return next(same, None)


def _change(found: dict[str, list[Reach]]) -> Access | None:
    deleted = _first(found, "db-delete") or (_first(found, "db-pending-delete") if _flushes(found) else None)
    updated = _first(found, "db-update")
    if deleted is not None and (updated is None or len(deleted.path) <= len(updated.path)):
        return Access("delete", deleted)
    return Access("update", updated) if updated is not None else None


def _saved(found: dict[str, list[Reach]], *, inferred: bool) -> Access | None:
    """Writes that do not say which they are: `obj.save()`, a pending change and its commit, a commit after a read.

    `inferred`: nothing else explains the commit, so that it is taken for the update of what was read."""
    plain = _first(found, "db-write")
    pending = _first(found, "db-pending")
    if plain is not None:
        return Access("save", plain)
    if pending is not None and _flushes(found):
        return Access("save", pending)
    if pending is not None and not found.get("db-read"):
        return Access("pending", pending)
    committed = _first(found, "commit")
    mapped = any("." in each.effect.detail or each.effect.detail[:4] == "var:" for each in found.get("db-read", ()))
    if inferred and mapped and committed is not None and pending is None:
        read = found["db-read"][0]
        return Access("update", Reach.along(read.effect, committed.path), certain=False)
    return None


def _flushes(found: dict[str, list[Reach]]) -> bool:
    return bool(found.get("commit") or found.get("db-flush"))


def _read(found: dict[str, list[Reach]]) -> Access | None:
    refreshed = _first(found, "db-refresh")
    reads = found.get("db-read", [])
    if refreshed is not None and all(each.path[-1] == refreshed.path[-1] for each in reads):
        return Access("refresh", refreshed)
    return Access("read", reads[0]) if reads else None


def _first(found: dict[str, list[Reach]], kind: EffectKind) -> Reach | None:
    return next(iter(found.get(kind, ())), None)
