"""What a setting is when its value is a name: `pool_size=settings.POOL_SIZE` and, elsewhere, `POOL_SIZE: int = 10`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

from evenkeel.audit.discovery.pythontext import begun_word
from evenkeel.audit.discovery.tree import Tree, decode

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from evenkeel.audit.discovery.pythontext import Page
    from evenkeel.audit.model.profile import Setting

_LITERAL = r"-?\d[\d_.]*(?:\s*\*\s*\d+)*|True|False|None|\"[^\"\n]*\"|'[^'\n]*'"
_WHOLE = re.compile(rf"(?P<literal>{_LITERAL})\s*,?\s*(?:#.*)?$")
# The fall-back of `os.getenv("X", 5)`, `env.int("X", default=5)`, `Field(5, ge=1)`, `Field(default=5)`, `mapped(5)`.
_FALL_BACK = (
    re.compile(rf"\bdefault\s*=\s*(?P<literal>{_LITERAL})"),
    re.compile(rf"\bField\(\s*(?P<literal>{_LITERAL})"),
    re.compile(rf"\b(?:get|getenv|env\w*(?:\.\w+)?|config)\(\s*[\"'][^\"']+[\"']\s*,\s*(?P<literal>{_LITERAL})\s*[,)]"),
)
# A dotted name, or a constant's: a plain lower-case name is a parameter, and its default says little.
_NAME = re.compile(r"(?:\w+\.)+(?P<attribute>\w+)|(?P<constant>[A-Z][A-Z0-9_]{2,})")
_HEAD_BYTES = 262_144


def resolved(tree: Tree, settings: Sequence[Setting], declared_in: Iterable[str]) -> list[Setting]:
    """The settings, `default` set where the value is a name that its own file or one of `declared_in` declares."""
    texts: dict[str, str] = {}
    files = list(declared_in)

    def text(path: str) -> str:
        if path not in texts:
            texts[path] = decode(tree.head(path, _HEAD_BYTES)) or ""
        return texts[path]

    def default(setting: Setting) -> str:
        if not (match := _NAME.fullmatch(setting.value)):
            return fall_back(setting.value)
        name = match["attribute"] or match["constant"]
        return next((found for path in [setting.source.file, *files] if (found := _declared(name, text(path)))), "")

    return [msgspec.structs.replace(each, default=default(each)) for each in settings]


def literal_of(tree: Tree, page: Page, name: str) -> str:
    """The literal that a name on a page stands for: declared there, or where the page imports it from; else ""."""
    last = name.rpartition(".")[2]
    if literal := _declared(last, page.text):
        return literal
    imported = re.search(rf"from[ \t]+(?P<module>[\w.]+)[ \t]+import[^#]*?\b{name.partition('.')[0]}\b", page.text)
    if not imported:
        return ""
    file = f"{imported['module'].lstrip('.').replace('.', '/')}.py"
    files = [path for path in tree.files.get("py", ()) if path == file or path.endswith(f"/{file}")]
    texts = (decode(tree.head(path, _HEAD_BYTES)) or "" for path in files[:5])
    return next((literal for text in texts if (literal := _declared(last, text))), "")


def is_literal(value: str) -> bool:
    """Whether the text of a value is a literal."""
    return bool(_WHOLE.match(value))


def fall_back(expression: str) -> str:
    """The literal that an expression falls back to when nothing is configured; "" when it names none."""
    matches = (pattern.search(expression) for pattern in _FALL_BACK)
    return next((_unquoted(match["literal"]) for match in matches if match), "")


def _declared(name: str, text: str) -> str:
    if name not in text:
        return ""
    for match in re.finditer(rf"{begun_word(name)}[ \t]*(?::[^=\n]+)?=(?!=)[ \t]*(?P<value>[^\n]+)", text):
        whole = _WHOLE.match(match["value"])
        literal = _unquoted(whole["literal"]) if whole else fall_back(text[match.start("value") : match.end() + 300])
        if literal:
            return literal
    return ""


def _unquoted(literal: str) -> str:
    return literal[1:-1] if literal[0] in "\"'" else literal
