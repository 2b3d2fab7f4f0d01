"""Bytes of a file to UTF-8, the way the language reads them, losing as little as possible.

Python: the coding cookie of PEP 263 counts; anything else that is not UTF-8 is taken for Latin-1, in which every byte
is a character, so that the code around a badly encoded comment is still read.
"""

from __future__ import annotations

import codecs
import re

COOKIE = re.compile(rb"\A(?:[^\n]*\n)?[ \t\f]*#[^\n]*?coding[:=][ \t]*([-\w.]+)")


def is_binary(data: bytes) -> bool:
    """Whether the bytes are no source text at all: no language allows NUL."""
    return b"\0" in data


def to_utf8(data: bytes, language: str) -> bytes:
    """The same text in UTF-8, without byte order mark, lines ended by `\\n` or `\\r\\n`."""
    data = data.removeprefix(codecs.BOM_UTF8)
    if not data.isascii():
        data = _recoded(data, language)
    return data.replace(b"\r", b"\n") if b"\r" in data and b"\n" not in data else data


def _recoded(data: bytes, language: str) -> bytes:
    cookie = COOKIE.match(data) if language == "python" else None
    for encoding in (*([cookie[1].decode("ascii")] if cookie else []), "utf-8"):
        try:
            return data.decode(encoding).encode()
        except (LookupError, ValueError):  # no such text encoding, or not written in it
            continue
    return data.decode("latin-1").encode()
