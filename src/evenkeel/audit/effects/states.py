"""Where applications put what they share: into their own state, under a key."""

from __future__ import annotations

from evenkeel.audit.model.facts import Assignment, Function

Puts = dict[str, list[tuple[int, Assignment]]]  # key -> (function id, assignment) of what is put under it

MAX_PUTS = 4  # under one key; more say nothing new
STATES = frozenset({"app", "application", "ctx", "context", "state", "extensions"})  # hold what handlers and jobs share


def add_put(puts: Puts, function: Function, function_id: int) -> None:
    """Note what a function puts there: `app["db"] = pool`, `app[DB] = pool`, `app.state.db = pool`."""
    for each in function.assignments:
        for target in each.targets:
            if target.endswith("[]"):
                holder, key = target[:-2], each.keys[-1] if each.keys else ""
            else:
                holder, _, key = target.rpartition(".")
                if holder.rpartition(".")[2] not in {"state", "ctx"}:
                    continue
            if key and holder.rpartition(".")[2] in STATES:
                found = puts.setdefault(key_name(key), [])
                if len(found) < MAX_PUTS:
                    found.append((function_id, each))


def key_name(key: str) -> str:
    """The name by which a key is known: `'db'` is `db`, `keys.DB` is `DB`."""
    return key.strip("'").rpartition(".")[2]
