"""What comments say to evenkeel, out of the encoded facts. Everything else in them is passed over, not decoded."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from evenkeel.audit.effects.build import SourceFile
from evenkeel.audit.model.finding import Remark


class _Comments(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """FileFacts, field for field, as far as it matters here."""

    path: str
    module: str
    language: str
    lines: int
    functions: msgspec.Raw = msgspec.Raw()
    classes: msgspec.Raw = msgspec.Raw()
    imports: msgspec.Raw = msgspec.Raw()
    errors: msgspec.Raw = msgspec.Raw()
    suppressions: tuple[tuple[int, str], ...] = ()
    suppressed_lines: tuple[tuple[int, int], ...] = ()


_decode = msgspec.msgpack.Decoder(_Comments).decode


def remarks_of(files: Iterable[SourceFile]) -> tuple[Remark, ...]:
    """All remarks, file by file. One whose statement the front end does not tell speaks of its own line."""
    return tuple(remark for path, _, facts in files for remark in _in_file(path, _decode(facts)))


def _in_file(path: str, comments: _Comments) -> Iterator[Remark]:
    for number, (line, text) in enumerate(comments.suppressions):
        spans = comments.suppressed_lines[number : number + 1]
        first, last = spans[0] if spans else (line, line)
        yield Remark(path, line, text, first, last)
