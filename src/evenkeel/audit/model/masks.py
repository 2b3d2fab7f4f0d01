"""Kinds of effects as bits of one number, so that what cannot concern a rule is passed over without being looked at.

A mask never leaves out a kind that a call or function may have; it may hold one that it has not.
"""

from __future__ import annotations

from functools import lru_cache
from typing import get_args

from evenkeel.audit.model.effects import SAVED, EffectKind, is_new
from evenkeel.audit.model.index import FunctionInfo, Index, Link

BITS: dict[str, int] = {kind: 1 << number for number, kind in enumerate(get_args(EffectKind))}
KINDS = (1 << len(BITS)) - 1
# Marks beside the kinds. Of functions and of calls:
BLOCKS = 1 << 48  # something in it blocks the thread that makes the call
GIVEN = 1 << 49  # it runs a statement that its caller names
GETS = 1 << 50  # it loads a row by a key, or its caller's key
ACQUIRES = 1 << 51  # it acquires a session, connection or client itself; of a call also: what it calls does
OPENS_CLIENT = 1 << 57  # it opens a client each time, itself or further down
# Of calls alone:
UPDATES_ITSELF = 1 << 58  # it sends an UPDATE or DELETE, no callee does
READS_ITSELF = 1 << 56  # no callee does: it runs a query, or is one
APPLIED = 1 << 52  # a function is run for each element of an argument
LAZY = 1 << 53  # a read that may load a relationship
HOPS = 1 << 54  # work is handed to a thread
MANAGES = 1 << 55  # a manager is entered or left
LOOPED = 1 << 59  # a loop repeats it
KNOWN = 1 << 63  # in the table of functions: this one has been looked at

CLIENT = "client"  # the detail of connecting with a client of its own (Redis, HTTP, ...)
LAZY_READ = "orm.relationship"  # the library name of a read that may load a relationship
QUERIES = ("QuerySet[", "Query[", "Manager[")  # types of queries that are run by going through them


@lru_cache(maxsize=1_024)
def mask_of(*kinds: str) -> int:
    """The kinds together."""
    return sum(BITS[each] for each in set(kinds))


READS = mask_of("db-read", "db-key-read")
SAVES, INSERTS = mask_of(*SAVED), mask_of(*SAVED.values())  # see `with_inserts`
SPAWNS = BITS["spawn"]
WAITS = BITS["gather"]  # of what it is given, for so long at most
OWN = {
    "db-read": READS_ITSELF | GETS,
    "db-key-read": READS_ITSELF | GETS,
    "db-load-all": READS_ITSELF,
    "db-update": UPDATES_ITSELF,
    "connect": ACQUIRES | OPENS_CLIENT,
}
MODES = {"spawn": SPAWNS, "offload": HOPS}
MANAGING = {"enter": MANAGES, "leave": MANAGES}
STATED = mask_of(  # what a statement may turn out to do, once it is known
    "db-read", "db-count", "db-write", "db-insert", "db-update", "db-delete", "db-bulk", "begin", "commit", "rollback",
    "notify",
)  # fmt: skip


def mask_of_link(link: Link) -> int:
    """What a call has itself, in tasks of their own too, and its marks."""
    if not (link.effects or link.mode or link.implicit or link.bounded or "[" in link.result or link.applied >= 0):
        return 0 if link.library != LAZY_READ else LAZY | READS
    mask = MODES.get(link.mode, 0) | MANAGING.get(link.implicit, 0)
    for effect in link.effects:
        mask |= BITS[effect.kind] | OWN.get(effect.kind, 0) | (BLOCKS if effect.blocking else 0)
    if link.bounded:
        mask |= WAITS
    if link.library == LAZY_READ:
        mask |= LAZY | READS
    if "[" in link.result and any(each in link.result for each in QUERIES):
        mask |= READS | READS_ITSELF
    if link.applied >= 0:
        mask |= APPLIED | KINDS  # the callable's own calls are looked at, wherever they lead
    return mask


def mask_of_callees(link: Link, index: Index) -> int:
    """What the functions of the project have that a call leads to."""
    mask = 0
    for target in link.targets:
        mask |= mask_of_function(target, index)
    for target in link.runs:
        mask |= mask_of_function(target, index) & (~BLOCKS if link.mode else -1)
    return mask | INSERTS if mask & SAVES and is_new(link.variables) else mask


def mask_of_function(function: int, index: Index) -> int:
    """What running a function of the project has, by its id."""
    if not index.masks:
        index.masks.frombytes(bytes(8 * len(index.functions)))
    mask = index.masks[function]
    if not mask:
        mask = index.masks[function] = KNOWN | mask_of_info(index.functions[function])
    return mask & ~KNOWN


def mask_of_info(info: FunctionInfo) -> int:
    """The same, from what is known of the function."""
    mask = READS | GETS if info.fetches else 0
    for reached in info.reaches:
        mask |= BITS[reached.effect.kind]
        if reached.statement >= 0:
            mask |= STATED | GIVEN
        if reached.effect.blocking and not info.is_async:  # what blocks inside is an async function's own fault
            mask |= BLOCKS
        if reached.effect.kind == "connect":
            mask |= (ACQUIRES if reached.next < 0 else 0) | (OPENS_CLIENT if reached.effect.detail == CLIENT else 0)
    return mask
