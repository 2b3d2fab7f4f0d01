"""How encoded tables are kept and handed on: those of a large project packed with zlib level 1, to a third of their size or less.

A million lines are 75 MB of encoded facts, 25 MB packed; a file is packed at some 110 MB a second, and unpacked at some 300 when
it is looked at. Of a small project that takes longer than it is worth.
"""

from __future__ import annotations

import zlib

from evenkeel.audit.model.tables import Blobs

ZLIB = b"x"  # what `pack` gives begins with it; as MessagePack that would be the number 120, and tables are arrays
PLAIN_SOURCE_BYTES = 6_500_000  # some 170,000 lines: up to there facts are not packed
FILE_BYTES = 1_000  # that each file counts for beside its own: a project of very many small ones is a large one
SHARE = 3  # of its size that a table of facts has when packed: a third


def pack(encoded: bytes) -> bytes:
    """Encoded facts or links as they are kept."""
    return zlib.compress(encoded, 1)


def unpack(packed: bytes) -> bytes:
    """The opposite of `pack`; an encoded table that was never packed is itself. Raises zlib.error for what is damaged."""
    return zlib.decompress(packed) if packed[:1] == ZLIB else packed


def packed_size(tables: Blobs) -> int:
    """About how many bytes encoded facts take when packed, whether they are or not, and what each file takes beside them."""
    sizes = ((tables.first(number), tables.size_of(number)) for number in range(len(tables)))
    packed = sum(size if first == ZLIB[0] else size // SHARE for first, size in sizes)
    return packed + len(tables) * FILE_BYTES // SHARE
