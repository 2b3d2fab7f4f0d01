"""Propagation over a whole project: from what linking handed over to the finished rows of its functions."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Sequence

import msgspec

from evenkeel.audit.effects.entries import is_consumer
from evenkeel.audit.effects.linked import FileLinks, Linked, Names
from evenkeel.audit.effects.propagate import propagate
from evenkeel.audit.effects.standing import Standing
from evenkeel.audit.effects.summary import Summary
from evenkeel.audit.model.index import FunctionInfo
from evenkeel.audit.model.masks import KNOWN, mask_of_info
from evenkeel.audit.model.packing import unpack

_decode_info = msgspec.msgpack.Decoder(FunctionInfo).decode
_decode_summaries = msgspec.msgpack.Decoder(list[Summary]).decode


class Spread(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What propagation tells beside the finished rows."""

    kinds: list[frozenset[str]]  # of effects, of each file
    masks: bytes  # of each function, see model/masks.py: unsigned 64-bit integers


def spread(names: Names, linked: Linked, take: Callable[[bytes], None]) -> Spread:
    """Propagate. Gives each encoded FunctionInfo, in order, to `take`."""
    files = linked.files
    functions = [_standing(_decode_info(each)) for each in linked.functions]
    summaries = [each for file in files for each in _decode_summaries(unpack(file.summaries))]
    _mark_entries(functions, files, summaries)
    propagate(functions, summaries)
    del summaries
    numbers = {path: number for number, (path, _) in enumerate(names)}
    kinds = [set(each.local_kinds) for each in files]
    masks = array("Q")
    encode = msgspec.msgpack.Encoder().encode
    for info in _finished(linked, functions):
        kinds[numbers[info.file]].update([each.effect.kind for each in info.reaches])
        masks.append(KNOWN | mask_of_info(info))
        take(encode(info))
    return Spread([frozenset(each) for each in kinds], masks.tobytes())


def _standing(info: FunctionInfo) -> Standing:
    return Standing(
        info.id, "code" if info.kind == "code" else "test" if info.kind == "test" else "", info.is_async, info.entry
    )


def _finished(linked: Linked, functions: Sequence[Standing]) -> Iterator[FunctionInfo]:
    for row, found in zip(linked.functions, functions, strict=True):
        info = _decode_info(row)
        info.entry, info.roles, info.hot = found.entry, found.roles, found.hot
        info.caller, info.caller_line = found.caller, found.caller_line
        info.reaches, info.fetches = found.reaches, found.fetches
        info.holds_session, info.private_loop = found.holds_session, found.private_loop
        yield info


def _mark_entries(functions: Sequence[Standing], files: Sequence[FileLinks], summaries: Sequence[Summary]) -> None:
    for file in files:
        for function_id, role in file.entries:
            functions[function_id].entry = functions[function_id].entry or role
    for summary in summaries:
        found = functions[summary.id]
        found.holds_session = summary.holds_session
        if not found.entry and found.kind == "code" and is_consumer(summary):
            found.entry = "consumer"
