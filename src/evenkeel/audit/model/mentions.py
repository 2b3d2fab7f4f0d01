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
        _add_chains(function, chains)
        callees.update([each.callee for each in function.calls])
    holders = {each.rpartition(".")[0] for each in callees}
    chains.update(holders)
    chains.update([each.partition("[]")[0] for each in holders if "[]" in each])
    bits = bytearray(BITS >> 3)
    for place in {_place(each.removesuffix("[]").rpartition(".")[2]) for each in chains}:
        bits[place >> 3] |= 1 << (place & 7)
    return bytes(bits)


def _add_chains(function: Function, chains: set[str]) -> None:
    for assignment in function.assignments:
        chains.update(assignment.targets)
        if assignment.value.kind == "name":
            chains.add(assignment.value.text)
    chains.update([read.chain.rpartition(".")[0] for read in function.reads])
    for block in function.blocks:
        if block.subject is not None:
            chains.update(block.subject.names)
    values = [argument.value for call in function.calls for argument in call.arguments]
    chains.update([each.text for each in values if each.kind == "name"])


def _place(word: str) -> int:
    return zlib.crc32(word.encode("utf-8", "surrogatepass")) % BITS
