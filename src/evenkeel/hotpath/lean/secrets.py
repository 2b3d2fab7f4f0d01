"""What must not be read in a log."""

from __future__ import annotations

import re

MASK = "***"
_KEYS = re.compile(
    r"(?i)(pass(word|wd|phrase)?|secret|token|api[-_]?key|authorization|cookie|credential|private[-_]?key|session[-_]?key)"
)
_HARMLESS = re.compile(r"(?i)(max|total|prompt|completion|input|output)?_?tokens(_\w+)?|token_(count|usage|type)")
# Shapes that are secrets wherever they stand: bearer tokens, our own tokens, common vendors' keys, JWTs, URLs with a
# password in them.
_TEXTS = re.compile(
    r"(?i:bearer|basic)\s+[A-Za-z0-9._~+/=-]{8,}"
    r"|\b(?:wund_|sk-|ghp_|gho_|github_pat_|xox[abprs]-|AKIA|glpat-)[A-Za-z0-9_-]{8,}"
    r"|\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*"
    r"|(?<=://)[^/\s:@]{1,64}:[^/\s@]{1,128}(?=@)"
)


def is_secret_key(key: str) -> bool:
    """Whether a field of this name is masked whole."""
    return bool(_KEYS.search(key)) and not _HARMLESS.fullmatch(key)


def masked(text: str) -> str:
    """The text without what looks like a secret; the very same object when there is none."""
    return _TEXTS.sub(MASK, text)
