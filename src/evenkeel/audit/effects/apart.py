"""The index, built in processes of their own: what building it takes is given back before the workers start.

Linking needs several times the memory of its result, and a Python process gives little back. So one process links and
hands over each file as it is done, the next propagates, and the workers are forked from a process that holds the packed
facts, which it had anyway, and the result.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial

import msgspec

from evenkeel.audit.effects.build import (
    LONGEST_LINK_S,
    NONE_NAMED,
    PARALLEL_FROM,
    ROWS_AT_ONCE,
    SourceFile,
    assembled,
    finish,
    index_of,
    link,
    sources_of,
)
from evenkeel.audit.effects.catalogue import Catalogue
from evenkeel.audit.effects.linked import FileLinks, Functions, Linked, Names, Surroundings
from evenkeel.audit.effects.spreading import Spread, spread
from evenkeel.audit.model.index import Index, function_table
from evenkeel.audit.model.tables import Blobs
from evenkeel.kernel.forks import Answer, Send, can_fork, run_forked


@dataclass(frozen=True, slots=True)
class Meanwhile:
    """What this process does while others work on the index: it would only wait. `propagating` gets the index as far as it is
    known by then, without functions and kinds."""

    linking: Callable[[], None] = lambda: None
    propagating: Callable[[Index], None] = lambda _: None


NOTHING_ELSE = Meanwhile()

_decode_part = msgspec.msgpack.Decoder(FileLinks | Functions).decode
_decode_surroundings = msgspec.msgpack.Decoder(Surroundings).decode
_decode_rows = msgspec.msgpack.Decoder(list[bytes]).decode
_decode_spread = msgspec.msgpack.Decoder(Spread).decode


def build_index_apart(
    files: Iterable[SourceFile],
    catalogue: Catalogue,
    *,
    jobs: int = 2,
    statements: Mapping[str, str] = NONE_NAMED,
    meanwhile: Meanwhile = NOTHING_ELSE,
) -> Index:
    """As `build_index`. `files` are consumed one by one, so that a caller that lets go of them holds them once."""
    names, facts = sources_of(files)
    if len(names) < PARALLEL_FROM or jobs < 2 or not can_fork():
        meanwhile.linking()
        return _looked_at(index_of(names, facts, catalogue, jobs, statements), meanwhile)
    linked = Linked(len(names))
    answer = run_forked(
        [partial(_link, names, facts, catalogue, jobs, statements)],
        timeout_s=LONGEST_LINK_S,
        on_part=lambda _, part: linked.add(_decode_part(part)),
        meanwhile=meanwhile.linking,
        nested=True,
    )[0]
    if answer.error:  # whatever went wrong over there is a plain exception here
        return _looked_at(index_of(names, facts, catalogue, jobs, statements), meanwhile)
    return _propagated(names, facts, linked, answer, meanwhile)


def _looked_at(index: Index, meanwhile: Meanwhile) -> Index:
    meanwhile.propagating(index)
    return index


def _link(
    names: Names, facts: Blobs, catalogue: Catalogue, jobs: int, statements: Mapping[str, str], send: Send
) -> bytes:
    encode = msgspec.msgpack.Encoder().encode
    return encode(link(names, facts, catalogue, jobs, statements, lambda part: send(encode(part))))


def _propagated(names: Names, facts: Blobs, linked: Linked, first: Answer, meanwhile: Meanwhile) -> Index:
    functions = Blobs()
    index = assembled(names, facts, linked, _decode_surroundings(first.result), functions)
    answer = run_forked(
        [partial(_spread, names, linked)],
        timeout_s=LONGEST_LINK_S,
        on_part=lambda _, part: _take(part, functions, index),
        meanwhile=lambda: meanwhile.propagating(index),
    )[0]
    if answer.error:
        functions = Blobs()
        finish(index, spread(names, linked, functions.append))
        index.functions = function_table(functions)
    else:
        finish(index, _decode_spread(answer.result))
    return index


def _take(part: bytes, functions: Blobs, index: Index) -> None:
    for row in _decode_rows(part):
        functions.append(row)
    index.functions.look_ahead()  # every worker will ask for them, and this process would only wait


def _spread(names: Names, linked: Linked, send: Send) -> bytes:
    rows: list[bytes] = []
    encode = msgspec.msgpack.Encoder().encode

    def take(row: bytes) -> None:
        rows.append(row)
        if len(rows) >= ROWS_AT_ONCE:
            send(encode(rows))
            rows.clear()

    found = spread(names, linked, take)
    send(encode(rows))
    return encode(found)
