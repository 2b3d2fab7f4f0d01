"""Just enough of Python's lexical structure to read one call's arguments out of a file without parsing the file."""

from __future__ import annotations

import bisect
import functools
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Self

from evenkeel.audit.discovery.tree import line_at
from evenkeel.audit.model.profile import Source

if TYPE_CHECKING:
    from collections.abc import Iterator

_PREFIX_LETTERS = frozenset("rRbBfFuU")
_PREFIX = re.compile(r"(?<!\w)[rRbBfFuU]{1,2}$")
# A comment or a string literal. What cannot end a literal is passed over in runs; one that is never closed ends with its line or,
# between three quotes, with the text, which is also where a last lone backslash stands. Wherever the runs end, so does the
# literal: nothing is tried twice. (Possessive groups would say so, and are misread by Python before 3.11.5: gh-106052.)
_TOKEN = re.compile(
    r"#[^\n]*+"
    r'|"""[^"\\]*+(?:(?:\\.|"(?!""))[^"\\]*+)*(?:"""|\\?\Z)'
    r"|'''[^'\\]*+(?:(?:\\.|'(?!''))[^'\\]*+)*(?:'''|\\?\Z)"
    r'|"[^"\\\n]*+(?:\\.[^"\\\n]*+)*(?:"|\n|\\?\Z)'
    r"|'[^'\\\n]*+(?:\\.[^'\\\n]*+)*(?:'|\n|\\?\Z)",
    re.DOTALL,
)
_KEYWORD = re.compile(r"\s*(?P<name>\w+)\s*=(?!=)\s*")
_NOT_LINE_END = re.compile(r"[^\n]")
_NOT_BLANK = re.compile(r"\s*")
_OPENING, _CLOSING = frozenset("([{"), frozenset(")]}")
CALL_LIMIT = 20_000  # characters of one argument list; what is longer is no engine configuration


class Literal(NamedTuple):
    """A string literal: where it stands, and the positions of its text between the quotes."""

    start: int
    end: int
    text_start: int
    text_end: int
    prefix: str


class _Tokens:
    """The literals of a text, and the spans of what is no code (comments, and texts of literals), as far as anyone asked."""

    def __init__(self, text: str) -> None:
        self.literals: list[Literal] = []
        self.spans: list[tuple[int, int]] = []
        self._text = text
        self._left = _TOKEN.finditer(text)

    def read(self, position: int) -> Self:
        """Reads on until a token ends behind a position."""
        text = self._text
        while not self.spans or self.spans[-1][1] <= position:
            match = next(self._left, None)
            if match is None:
                break
            start, end = match.span()
            quote = text[start]
            if quote == "#":
                self.spans.append((start, end))
                continue
            width = 3 if text.startswith(quote * 3, start) else 1
            inside = start + width, max(end - width, start + width)
            self.literals.append(Literal(start, end, *inside, _prefix(text, start)))
            self.spans.append(inside)
        return self


def _prefix(text: str, start: int) -> str:
    """The letters that belong to a literal whose quotes open at `start`."""
    if text[start - 1 : start] not in _PREFIX_LETTERS:
        return ""
    found = _PREFIX.search(text[max(0, start - 3) : start])
    return found[0] if found else ""


@dataclass(frozen=True)
class Page:
    """A Python text with the path it was read from; its mask is made when it is first asked for."""

    path: str
    text: str

    @functools.cached_property
    def mask(self) -> str:
        """The text with comments and the insides of strings blanked: same length, same lines, only structure left."""
        return _masked(self.text, self._tokens.read(len(self.text)).spans)

    @property
    def literals(self) -> list[Literal]:
        """Every string literal, in order."""
        return self._tokens.read(len(self.text)).literals

    @functools.cached_property
    def _tokens(self) -> _Tokens:
        return _Tokens(self.text)

    def source(self, position: int) -> Source:
        """File and line of a position."""
        return Source(self.path, line_at(self.text, position))

    def value(self, position: int) -> str:
        """The expression from `position` on, white space folded."""
        end = position + len(self.mask[position : self.end(position)].rstrip())  # without a comment after it
        return folded(self.text[position:end])

    def end(self, position: int) -> int:
        """Where the expression from `position` on ends."""
        return expression_end(self.mask, position)

    def arguments(self, opening: int) -> list[Given]:
        """The arguments of the call whose bracket opens at `opening`."""
        return arguments(self.text, self.mask, opening)

    def is_code(self, position: int) -> bool:
        """Whether the character there is neither blank nor inside a comment or string; nothing after it is looked at."""
        if self.text[position].isspace():
            return False
        spans = self._tokens.read(position).spans
        before = bisect.bisect(spans, position, key=_start) - 1
        return before < 0 or spans[before][1] <= position


def _start(span: tuple[int, int]) -> int:
    return span[0]


@dataclass(frozen=True, slots=True)
class Given:
    """An argument as written. `keyword` is "" when positional, `*` or `**` when unpacked."""

    keyword: str
    value: str
    position: int
    end: int = 0


def begun_word(name: str) -> str:
    """The pattern of a name with no letter before it. It starts with plain text, so that a search can skip ahead."""
    return rf"{name}(?<!\w{name})"


def masked(text: str) -> str:
    """The mask of a text that is no page."""
    return Page("", text).mask


def _masked(text: str, spans: list[tuple[int, int]]) -> str:
    pieces: list[str] = []
    last = 0
    for start, end in spans:
        pieces += [text[last:start], _blank(text[start:end])]
        last = end
    return "".join([*pieces, text[last:]])


def arguments(text: str, mask: str, opening: int) -> list[Given]:
    """The arguments of the call that opens at `opening`; if it never closes, those before its last comma."""
    return [_given(text, mask, start, end) for start, end in split(mask, opening) if mask[start:end].strip()]


def _given(text: str, mask: str, start: int, end: int) -> Given:
    keyword = _KEYWORD.match(mask, start, end)
    begin = keyword.end() if keyword else _NOT_BLANK.match(mask, start, end).end()  # type: ignore[union-attr]
    value = text[begin:end]
    if keyword:
        return Given(keyword["name"], folded(value), begin, end)
    stars = "**" if value.startswith("**") else "*" if value.startswith("*") else ""
    return Given(stars, folded(value.removeprefix(stars)), begin, end)


def split(mask: str, opening: int) -> Iterator[tuple[int, int]]:
    """Spans between the top-level commas of the bracket that opens at `opening`."""
    depth, start = 0, opening + 1
    for position in range(opening, min(len(mask), opening + CALL_LIMIT)):
        character = mask[position]
        if character in _OPENING:
            depth += 1
        elif character in _CLOSING:
            depth -= 1
            if depth == 0:
                yield start, position
                return
        elif character == "," and depth == 1:
            yield start, position
            start = position + 1


def closing(mask: str, opening: int) -> int:
    """The position of the bracket that closes the one at `opening`; the end of what is looked at if none does."""
    return max((end for _, end in split(mask, opening)), default=opening)


def expression_end(mask: str, start: int) -> int:
    """Where the expression from `start` on ends: at a comma, a closing bracket or a line end outside brackets."""
    depth = 0
    for position in range(start, min(len(mask), start + CALL_LIMIT)):
        character = mask[position]
        if character in _OPENING:
            depth += 1
        elif character in _CLOSING:
            depth -= 1
        if depth < 0 or (depth == 0 and character in ",\n;"):
            return position
    return min(len(mask), start + CALL_LIMIT)


def folded(text: str) -> str:
    """White space folded, ends stripped, cut at 200 characters."""
    return " ".join(text.split())[:200]


def _blank(text: str) -> str:
    return _NOT_LINE_END.sub(" ", text) if "\n" in text else " " * len(text)
