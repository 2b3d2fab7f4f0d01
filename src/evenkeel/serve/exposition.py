"""Metrics of several processes as one text."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

_SAMPLE = re.compile(rb"(?P<name>[a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(?P<labels>.*)\})?(?P<rest> .*)")


def merged(texts: Mapping[str, bytes]) -> bytes:
    """Texts in Prometheus's format, each sample with `process="<key>"`, each family once."""
    heads: dict[bytes, list[bytes]] = {}
    samples: dict[bytes, list[bytes]] = {}
    for process, text in texts.items():
        for family, line in _lines(text):
            if line.startswith(b"#"):
                found = heads.setdefault(family, [])
                if line not in found:
                    found.append(line)
            else:
                samples.setdefault(family, []).append(_labelled(line, process.encode()))
    return b"\n".join(line for family, head in heads.items() for line in (*head, *samples.get(family, ()))) + b"\n"


def _lines(text: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Each line with the family it belongs to: samples follow the head of theirs."""
    family = b""
    for line in text.splitlines():
        if line.startswith((b"# HELP ", b"# TYPE ")):
            family = line.split(b" ", 3)[2]
        if line:
            yield family, line


def _labelled(line: bytes, process: bytes) -> bytes:
    sample = _SAMPLE.fullmatch(line)
    if sample is None:
        return line
    labels = b",".join(each for each in (b'process="%b"' % process, sample["labels"] or b"") if each)
    return b"%b{%b}%b" % (sample["name"], labels, sample["rest"])
