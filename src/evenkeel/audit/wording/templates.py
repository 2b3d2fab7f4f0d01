"""Templates: a message with holes, as a pattern that finds what stands in them, and the text to put it into."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

_HOLE = re.compile(r"\{(?P<name>[a-z_]\w*)(?::(?P<kind>number|word|list|semicolons))?\}")
_PATTERNS = {
    "number": r"[\d,.]+",
    "word": r"\S+",
    "code": r"[^`]+",
    "text": r".+?",
    "list": r".+?",
    "semicolons": r".+?",
}
_SEPARATORS = {"list": ", ", "semicolons": "; "}


@dataclass(frozen=True, slots=True)
class Template:
    """One message. `strict` holds holes between back-ticks to code without back-ticks; `loose` does not."""

    source: str
    target: str
    kinds: dict[str, str]  # hole -> number, word, code, text, list, semicolons
    strict: re.Pattern[str]
    loose: re.Pattern[str]

    @property
    def weight(self) -> int:
        """How much of it is fixed text: the heavier template is the more telling one."""
        return len(_HOLE.sub("", self.source))

    def filled(self, found: re.Match[str], say: Callable[[str], str], comma: str, semicolon: str) -> str:
        """The target with what stood in the holes. `say` translates a hole that is made of words."""
        joints = {"list": comma, "semicolons": semicolon}

        def of(hole: re.Match[str]) -> str:
            name = hole["name"]
            kind, value = self.kinds[name], found[name]
            if kind in joints:
                return joints[kind].join(say(each) for each in value.split(_SEPARATORS[kind]))
            return say(value) if kind == "text" else value

        return _HOLE.sub(of, self.target)


def build_template(source: str, target: str) -> Template:
    """The template of a message. Raises ValueError when the texts do not have the same holes."""
    kinds = {each["name"]: _kind(source, each) for each in _HOLE.finditer(source)}
    asked = {each["name"] for each in _HOLE.finditer(target)}
    if asked - set(kinds):
        raise ValueError(f"{target!r} has holes that {source!r} has not: {sorted(asked - set(kinds))}")
    return Template(source, target, kinds, _pattern(source, kinds, {}), _pattern(source, kinds, {"code": ".+?"}))


def has_holes(source: str) -> bool:
    """Whether a message differs from case to case."""
    return _HOLE.search(source) is not None


def pieces(source: str) -> list[str]:
    """The fixed text between the holes."""
    return [each for each in _HOLE.sub("\0", source).split("\0") if each]


def _kind(source: str, hole: re.Match[str]) -> str:
    fenced = source[: hole.start()].endswith("`") and source[hole.end() :].startswith("`")
    return hole["kind"] or ("code" if fenced else "text")


def _pattern(source: str, kinds: dict[str, str], instead: dict[str, str]) -> re.Pattern[str]:
    parts: list[str] = []
    end, seen = 0, set[str]()
    for hole in _HOLE.finditer(source):
        name = hole["name"]
        wanted = instead.get(kinds[name], _PATTERNS[kinds[name]])
        parts += [re.escape(source[end : hole.start()]), f"(?P={name})" if name in seen else f"(?P<{name}>{wanted})"]
        seen.add(name)
        end = hole.end()
    return re.compile("".join([*parts, re.escape(source[end:])]), re.DOTALL)
