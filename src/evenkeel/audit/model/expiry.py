"""Removal of what has expired: DELETE statements whose condition compares a time column with now or a cut-off."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

from evenkeel.audit.model.effects import EffectKind
from evenkeel.audit.model.index import FunctionInfo, Index, Link
from evenkeel.audit.model.masks import mask_of, mask_of_function
from evenkeel.audit.model.view import CallView, FunctionView, Reach

TIME_COLUMN = (
    r"(expir\w*|valid_until|created(?:_at|_on)?|updated(?:_at|_on)?|modified(?:_at)?|timestamp|ts|last_\w+|heartbeat\w*"
    r"|\w+_at|\w+_time|deadline|ttl|since|date|\w+_date|age)"
)
OLDER = re.compile(
    rf"\b{TIME_COLUMN}\b\s*\)?\s*(?:<=?)|\b{TIME_COLUMN}\b[\"']\s*:\s*\{{\s*[\"']\$lte?\b|{TIME_COLUMN}__(?:lt|lte)\b|\b{TIME_COLUMN}\b[^,]*\bINTERVAL\b|older_than",
    re.IGNORECASE,
)
OLDER_NEEDS = ("<", "$lt", "__lt", "interval", "older_than")  # one of them stands in every text that it matches
NOW = re.compile(
    r"\bnow\b|utcnow|utc_now|current_timestamp|time\(\)|timedelta|cutoff|cut_off|threshold|deadline|expir|stale|ttl|before"
    r"|limit|interval|horizon|oldest|max_age",
    re.IGNORECASE,
)
SWEEPS = re.compile(r"expire|stale|outdated|(^|_)old(_|$)|(^|_)gc(_|$)|ttl")
EMPTIES = re.compile(r"prune|purge|evict")  # of one thing that is passed it removes everything, whatever its age
BACKGROUND = re.compile(
    r"(clean|purge|prune|sweep|janitor|housekeep|retention|reap|garbage|cron|nightly|daily|hourly|maintenance|expire)"
)
SELDOM = re.compile(r"random|%|last_clean|last_purge|next_clean|interval|should_clean|due\b", re.IGNORECASE)
STORES: tuple[EffectKind, ...] = ("db-insert", "db-update", "db-pending", "db-pending-insert")
STORING, DELETING = mask_of(*STORES), mask_of("db-delete")
LOCKS = re.compile(r"(acquire|lock|lease|claim|reserve)")


class Sweep(NamedTuple):
    """A removal of expired rows on the way of something else."""

    call: CallView
    reach: Reach
    beside: CallView  # the write or read that the function is there for
    in_lock: bool


def sweeps(function: FunctionView) -> Iterator[Sweep]:
    """Removals of expired rows that a function makes besides its own write."""
    if not function.mask & STORING or BACKGROUND.search(_last_name(function)):
        return
    for call in function.calls_fitting(DELETING, partial(_may_sweep, index=function.module.index)):
        reach = _expired_delete(call)
        if reach is None or _now_and_then(call):
            continue
        beside = _other_write(function, call)
        if beside is not None:
            yield Sweep(call, reach, beside, LOCKS.search(_last_name(function).lower()) is not None)


def _last_name(function: FunctionView) -> str:
    return function.name.rpartition(".")[2] if function.number else "<module>"


def _may_sweep(link: Link, index: Index) -> bool:
    """Whether a call may delete itself, or calls one function that may: told before any code is decoded."""
    if link.implicit or link.mode:
        return False
    if any(each.kind == "db-delete" for each in link.effects):
        return True
    if len(link.targets) != 1 or not mask_of_function(link.targets[0], index) & DELETING:
        return False
    reaches = index.functions[link.targets[0]].reaches
    return any(each.next < 0 and (each.effect.kind == "db-delete" or each.statement >= 0) for each in reaches)


def _expired_delete(call: CallView) -> Reach | None:
    """The DELETE of expired rows that a call makes, itself or in the function that it calls."""
    if call.link.implicit or call.link.mode:
        return None
    own = next((each for each in call.reaches("db-delete") if not each.looped), None)
    if own is None:
        return None
    if own.direct:
        return own if deletes_expired(call) else None
    if len(own.path) == 2 and len(call.targets) == 1:
        return own if _only_sweeps(call, call.targets[0]) else None
    return None


def deletes_expired(call: CallView) -> bool:
    """Whether a DELETE is about age: its conditions compare a time column with a time."""
    text = " ".join(call.query)
    folded = text.casefold()
    if not any(each in folded for each in OLDER_NEEDS):
        return False
    return OLDER.search(text) is not None and (NOW.search(text) is not None or _passes_time(call))


def _passes_time(call: CallView) -> bool:
    words = [name for each in call.fact.arguments for name in (*each.value.names, each.value.text)]
    return any(NOW.search(each) for each in words)


def _only_sweeps(call: CallView, target: FunctionInfo) -> bool:
    """Whether the callee is there to remove what has expired: by its statements, or by its name alone."""
    view = call.function.module.function(target)
    if view is None:
        return False
    deletes = list(view.calls_with("db-delete"))
    name = target.name.rpartition(".")[2]
    told = SWEEPS.search(name) or (EMPTIES.search(name) and not call.fact.arguments)
    return bool(deletes) and (bool(told) or any(deletes_expired(each) for each in deletes))


def _now_and_then(call: CallView) -> bool:
    """Whether a condition lets it run only sometimes: one call in a hundred, or when it is due."""
    around = call.function.blocks_around(call.fact.block, "if", "else")
    return any(each.subject is not None and SELDOM.search(each.subject.text) for each in around)


def _other_write(function: FunctionView, sweep: CallView) -> CallView | None:
    """What the function writes besides: an INSERT or UPDATE before or after the removal."""
    for call in function.calls_reaching(*STORES):
        if call is sweep or call.link.implicit in {"inject", "leave", "enter"} or _is_part_of(call, sweep):
            continue
        written = call.reaches(*STORES)
        removed = {each.path[-1] for each in call.reaches("db-delete", "db-pending-delete")}
        if any(each.path[-1] not in removed for each in written):
            return call
    return None


def _is_part_of(call: CallView, sweep: CallView) -> bool:
    return call.fact.parent == sweep.index or sweep.fact.receiver == call.index
