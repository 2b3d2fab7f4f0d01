"""What linking hands over, file by file and function by function."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from evenkeel.audit.effects.lifetimes import Part
from evenkeel.audit.model.finding import Remark
from evenkeel.audit.model.index import Entity, Role
from evenkeel.audit.model.tables import Blobs

Names = tuple[tuple[str, str], ...]  # path and kind of each file


class FileLinks(msgspec.Struct, frozen=True, array_like=True, gc=False, tag=True):
    """What linking one file gives."""

    file: int
    linked: bytes
    summaries: bytes  # of its functions; encoded and, in a large project, packed, as `linked`
    entries: tuple[tuple[int, Role], ...]
    local_kinds: tuple[str, ...]  # of its own calls, those that do not propagate included
    parts: tuple[Part, ...] = ()
    lines: int = 0
    unresolved: int = 0  # calls on values whose type nothing tells
    remarks: tuple[Remark, ...] = ()
    mentions: bytes = b""


class Functions(msgspec.Struct, frozen=True, array_like=True, gc=False, tag=True):
    """Encoded FunctionInfos that follow those that were handed over before; what propagation finds is not in them yet."""

    rows: list[bytes]


class Surroundings(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What linking finds that belongs to no one file."""

    entities: dict[str, Entity]
    roles: dict[str, str]
    statements: dict[str, str] = {}


class Linked:
    """What linking gives, as it comes in: files in any order, functions in theirs."""

    def __init__(self, files: int) -> None:
        """`files`: how many there are."""
        self.functions = Blobs()
        self._files: list[FileLinks | None] = [None] * files

    def add(self, part: FileLinks | Functions) -> None:
        """Take in one part."""
        if isinstance(part, FileLinks):
            self._files[part.file] = part
        else:
            for each in part.rows:
                self.functions.append(each)

    @property
    def files(self) -> list[FileLinks]:
        """What was found of each file, in their order."""
        return [each for each in self._files if each is not None]


Emit = Callable[[FileLinks | Functions], None]
