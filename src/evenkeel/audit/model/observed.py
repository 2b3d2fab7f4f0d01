"""Tables that somebody watches: a trigger on them notifies, so that each commit of a change is an event of its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from evenkeel.audit.model.context import ContextStore
from evenkeel.audit.model.profile import Trigger
from evenkeel.audit.model.view import CallView


def observed_tables(context: ContextStore) -> dict[str, Trigger]:
    """Table, without schema and quotes and in small letters -> the trigger on it that notifies."""
    return {_bare(each.table): each for each in context.profile.triggers if each.notifies}


def _bare(table: str) -> str:
    return table.rpartition(".")[2].strip('"').lower()


def tables_updated(call: CallView) -> Iterator[str]:
    """Tables that the call updates, itself or through what it calls."""
    entities = call.function.module.index.entities
    for reach in call.reaches("db-update", "db-write"):
        entity = entities.get(reach.effect.detail)
        yield _bare(entity.table if entity is not None else reach.effect.detail)


def is_observed(call: CallView, observed: Mapping[str, Trigger]) -> bool:
    """Whether the call updates a table whose changes are told as they are committed."""
    return bool(observed) and any(each in observed for each in tables_updated(call))
