"""Kinds of effects as bits of one number, so that what cannot concern a rule is passed over without being looked at.

A mask never leaves out a kind that a call or function may have; it may hold one that it has not.
"""

from __future__ import annotations

from functools import lru_cache
from typing import get_args

from evenkeel.audit.model.effects import EffectKind
from evenkeel.audit.model.index import FunctionInfo, Index, Link

BITS: dict[str, int] = {kind: 1 << number for number, kind in enumerate(get_args(EffectKind))}
KNOWN = 1 << 63  # in the table of functions: this one has been looked at
EVERYTHING = KNOWN - 1
LAZY_READ = "orm.relationship"  # the library name of a read that may load a relationship
QUERIES = ("QuerySet[", "Query[", "Manager[")  # types of queries that are run by going through them


@lru_cache(maxsize=1_024)
def mask_of(*kinds: str) -> int:
    """The kinds together."""
    return sum(BITS[each] for each in set(kinds))


READS = mask_of("db-read", "db-key-read")
SPAWNS = BITS["spawn"]
WAITS = BITS["gather"]  # of what it is given, for so long at most
STATED = mask_of(  # what a statement may turn out to do, once it is known
    "db-read", "db-count", "db-write", "db-insert", "db-update", "db-delete", "db-bulk", "begin", "commit", "rollback",
    "notify",
)  # fmt: skip


def mask_of_link(link: Link, index: Index) -> int:
    """What a call has or reaches, in tasks of their own too; 0 when no rule that asks for effects can find anything at it."""
    mask = 0
    for effect in link.effects:
        mask |= BITS[effect.kind]
    for target in link.targets:
        mask |= mask_of_function(target, index)
    for target in link.runs:
        mask |= mask_of_function(target, index)
    if link.mode == "spawn":
        mask |= SPAWNS
    if link.bounded:
        mask |= WAITS
    if link.library == LAZY_READ or ("[" in link.result and any(each in link.result for each in QUERIES)):
        mask |= READS
    return EVERYTHING if link.applied >= 0 else mask  # the callable's own calls are looked at, wherever they lead


def mask_of_function(function: int, index: Index) -> int:
    """What running a function of the project has, by its id."""
    if not index.masks:
        index.masks.frombytes(bytes(8 * len(index.functions)))
    mask = index.masks[function]
    if not mask:
        mask = index.masks[function] = KNOWN | _mask_of_info(index.functions[function])
    return mask & EVERYTHING


def _mask_of_info(info: FunctionInfo) -> int:
    mask = READS if info.fetches else 0
    for reached in info.reaches:
        mask |= BITS[reached.effect.kind]
        if reached.statement >= 0:
            mask |= STATED
    return mask
