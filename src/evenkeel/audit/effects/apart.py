"""The index, built in a process of its own: what building it takes is given back before the workers start.

Linking needs several times the memory of its result, and a Python process gives little back. The workers are forked from
a process that holds the packed facts, which it had anyway, and the result.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

import msgspec

from evenkeel.audit.effects.build import LONGEST_LINK_S, PARALLEL_FROM, SourceFile, index_of, sources_of
from evenkeel.audit.effects.catalogue import Catalogue
from evenkeel.audit.model.finding import Remark
from evenkeel.audit.model.index import Entity, Index, function_table
from evenkeel.audit.model.tables import Blobs
from evenkeel.kernel.forks import Send, can_fork, run_forked

Names = tuple[tuple[str, str], ...]


class Wire(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """An Index but for what the process that asked for it has already; see `Index`."""

    linked: tuple[bytes, bytes]
    functions: tuple[bytes, bytes]
    entities: dict[str, Entity]
    roles: dict[str, str]
    kinds: list[frozenset[str]]
    lines: int
    unresolved: int
    lasting: frozenset[str]
    mentions: bytes
    remarks: tuple[Remark, ...]


def build_index_apart(files: Iterable[SourceFile], catalogue: Catalogue, *, jobs: int = 2) -> Index:
    """As `build_index`. `files` are consumed one by one, so that a caller that lets go of them holds them once."""
    names, facts = sources_of(files)
    if len(names) < PARALLEL_FROM or jobs < 2 or not can_fork():
        return index_of(names, facts, catalogue, jobs)
    answer = run_forked([partial(_work, names, facts, catalogue, jobs)], timeout_s=LONGEST_LINK_S, nested=True)[0]
    if answer.error:  # whatever went wrong over there is a plain exception here
        return index_of(names, facts, catalogue, jobs)
    return _received(names, facts, msgspec.msgpack.decode(answer.result, type=Wire))


def _work(names: Names, facts: Blobs, catalogue: Catalogue, jobs: int, _: Send) -> bytes:
    index = index_of(names, facts, catalogue, jobs)
    return msgspec.msgpack.encode(
        Wire(
            linked=index.linked.parts(),
            functions=index.functions.blobs.parts(),
            entities=index.entities,
            roles=index.roles,
            kinds=index.kinds,
            lines=index.lines,
            unresolved=index.unresolved,
            lasting=index.lasting,
            mentions=index.mentions,
            remarks=index.remarks,
        )
    )


def _received(names: Names, facts: Blobs, wire: Wire) -> Index:
    shared: dict[frozenset[str], frozenset[str]] = {}  # most files have the same few kinds
    return Index(
        files=names,
        facts=facts,
        linked=Blobs.of_parts(*wire.linked),
        functions=function_table(Blobs.of_parts(*wire.functions)),
        entities=wire.entities,
        roles=wire.roles,
        kinds=[shared.setdefault(each, each) for each in wire.kinds],
        lines=wire.lines,
        unresolved=wire.unresolved,
        lasting=wire.lasting,
        numbers={path: number for number, (path, _) in enumerate(names)},
        mentions=wire.mentions,
        remarks=wire.remarks,
    )
