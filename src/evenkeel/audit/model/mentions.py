"""Which files of the project a name stands in: for questions that no import answers.

Each file has a filter, half a kilobyte of bits, one for the last word of each chain that it reads, changes, calls
something on, passes or imports. A file whose bit is not set does not mention the name; one whose bit is set may.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator

from evenkeel.audit.model.facts import FileFacts, Function
from evenkeel.audit.model.index import Index

BITS = 4_096  # of one file's filter


def mentioning(index: Index, name: str) -> Iterator[int]:
    """Numbers of the files that may mention a name."""
    place = _place(name)
    bit = 1 << (place & 7)
    return (number for number, byte in enumerate(index.mentions[place >> 3 :: BITS >> 3]) if byte & bit)


def mentions_of(facts: FileFacts) -> bytes:
    """The filter of one file."""
    chains = {each.target for each in facts.imports}
    callees: set[str] = set()
    for function in facts.functions:
        chains.update(_chains_of(function))
        callees.update([each.callee for each in function.calls])
    for callee in callees:
        holder = callee.rpartition(".")[0]
        chains.update((holder, holder.partition("[]")[0]))
    bits = bytearray(BITS >> 3)
    for word in {each.removesuffix("[]").rpartition(".")[2] for each in chains}:
        place = _place(word)
        bits[place >> 3] |= 1 << (place & 7)
    return bytes(bits)


def _chains_of(function: Function) -> Iterator[str]:
    for assignment in function.assignments:
        yield from assignment.targets
        if assignment.value.kind == "name":
            yield assignment.value.text
    for read in function.reads:
        yield read.chain.rpartition(".")[0]
    for block in function.blocks:
        yield from block.subject.names if block.subject is not None else ()
    for call in function.calls:
        for argument in call.arguments:
            if argument.value.kind == "name":
                yield argument.value.text


def _place(word: str) -> int:
    return zlib.crc32(word.encode(errors="surrogatepass")) % BITS
