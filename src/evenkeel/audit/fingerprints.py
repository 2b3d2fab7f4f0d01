"""Fingerprints: a name for a finding that survives line shifts, reformatting, and a move of its file.

Made from the rule, the function without its module, and the facts that the issue names: its code spans, without what
moves (numbers, paths, module prefixes) and without what a formatter changes (white space, quotes, trailing commas). An
issue without code spans counts as a whole.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable

import msgspec

from evenkeel.audit.model.finding import Finding
from evenkeel.audit.model.names import local_name

_FILE = re.compile(r"[\w./\\-]*[\w-]\.(?:pyi?|rs|tsx?|jsx?|mjs|cjs|go|sql)\b(?::\d+)*")
_SUFFIXES = (".py", ".rs", ".ts", ".js", ".mjs", ".cjs", ".go", ".sql")  # one stands in all that `_FILE` matches
_DOTTED = re.compile(r"(?:\w+\.)+(?=[\w<])")
_NUMBER = re.compile(r"\d+")
_SPAN = re.compile(r"`([^`]+)`")
_TRAILING_COMMA = re.compile(r",(?=[)\]}])")
_SPAN_LENGTH = 80  # code in an issue is cut at a number of characters as written, so its end is not to be relied on


def fingerprint(finding: Finding) -> str:
    """16 hexadecimal digits. Equal findings elsewhere in the same function share it: see `with_fingerprints`."""
    parts = (finding.rule, local_name(finding.function, finding.file), normalised(finding.issue))
    return hashlib.blake2b("\0".join(parts).encode("utf-8", "backslashreplace"), digest_size=8).hexdigest()


def with_fingerprints(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """The findings with fingerprints, in the order given; the second and later of equal ones get `-2`, `-3`, ...

    Ordinals follow file and line, whatever the order given. A fingerprint that is already set stays."""
    items = list(findings)
    names = {index: each.fingerprint for index, each in enumerate(items) if each.fingerprint}
    used, ordinals = set(names.values()), Counter[str]()
    for index in sorted(range(len(items)), key=lambda i: (items[i].file, items[i].line, items[i].end_line)):
        if index not in names:
            names[index] = _free_name(fingerprint(items[index]), used, ordinals)
            used.add(names[index])
    return tuple(msgspec.structs.replace(each, fingerprint=names[index]) for index, each in enumerate(items))


def _free_name(base: str, used: set[str], ordinals: Counter[str]) -> str:
    while True:
        ordinals[base] += 1
        name = base if ordinals[base] == 1 else f"{base}-{ordinals[base]}"
        if name not in used:
            return name


def normalised(issue: str) -> str:
    """The facts that the issue names: its code spans, or all of it when there are none."""
    text = _FILE.sub("", issue) if any(each in issue for each in _SUFFIXES) else issue
    spans = _SPAN.findall(text)
    if spans:
        return " ".join(_unformatted(each) for each in spans)
    return " ".join(_NUMBER.sub("#", _DOTTED.sub("", text)).split()).lower()


def _unformatted(code: str) -> str:
    """Code as no formatter can change it."""
    tight = "".join(code.split()).replace("'", '"')
    if "," in tight:
        tight = _TRAILING_COMMA.sub("", tight)
    if "." in tight:
        tight = _DOTTED.sub("", tight)
    return _NUMBER.sub("#", tight)[:_SPAN_LENGTH]
