"""Tables of encoded rows: many small byte strings in one piece of memory.

Forked workers share their parent's memory page by page until something writes to a page, and in Python reading an object
writes to it: its reference count stands beside it. A table of a hundred thousand objects is copied into each worker in
no time; one piece of memory, of which slices are decoded, stays shared.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Generic, Self, TypeVar, overload

Row = TypeVar("Row")

DECODED_ROWS = 4_096  # the rows that were asked for last


class Blobs:
    """Byte strings, numbered in the order in which they were added."""

    def __init__(self, rows: Iterable[bytes] = ()) -> None:
        self._bytes = bytearray()
        self._ends = array("Q")
        for each in rows:
            self.append(each)

    @classmethod
    def of_parts(cls, content: bytes, ends: bytes) -> Self:
        """What `parts` gave, in another process of this machine."""
        made = cls()
        made._bytes += content
        made._ends.frombytes(ends)
        return made

    def parts(self) -> tuple[bytes, bytes]:
        """All rows one after another, and where each ends (unsigned 64-bit integers)."""
        return bytes(self._bytes), self._ends.tobytes()

    @property
    def size(self) -> int:
        """Bytes of all rows together."""
        return len(self._bytes)

    def size_of(self, number: int) -> int:
        """Bytes of one row."""
        return self._ends[number] - (self._ends[number - 1] if number else 0)

    def first(self, number: int) -> int:
        """The first byte of a row that is not empty."""
        return self._bytes[self._ends[number - 1] if number else 0]

    def append(self, row: bytes) -> None:
        """Add one."""
        self._bytes += row
        self._ends.append(len(self._bytes))

    def __len__(self) -> int:
        return len(self._ends)

    def __getitem__(self, number: int) -> bytes:
        if not 0 <= number < len(self._ends):
            raise IndexError(number)
        start = self._ends[number - 1] if number else 0
        return bytes(self._bytes[start : self._ends[number]])

    def __iter__(self) -> Iterator[bytes]:
        return (self[each] for each in range(len(self)))


class Table(Sequence[Row], Generic[Row]):
    """Rows that are decoded when they are asked for; the latest are remembered."""

    def __init__(self, blobs: Blobs, decode: Callable[[bytes], Row]) -> None:
        self.blobs = blobs
        self._decode = decode
        self._known: dict[int, Row] = {}

    def __len__(self) -> int:
        return len(self.blobs)

    def look_ahead(self) -> None:
        """Decode the rows that were added since, as far as all are remembered."""
        for number in range(len(self._known), min(len(self.blobs), DECODED_ROWS)):
            self[number]

    @overload
    def __getitem__(self, number: int) -> Row: ...

    @overload
    def __getitem__(self, number: slice) -> list[Row]: ...

    def __getitem__(self, number: int | slice) -> Row | list[Row]:
        if isinstance(number, slice):
            return [self[each] for each in range(*number.indices(len(self)))]
        row = self._known.get(number)
        if row is None:
            if len(self._known) >= DECODED_ROWS:
                self._known.clear()
            row = self._known[number] = self._decode(self.blobs[number])
        return row
