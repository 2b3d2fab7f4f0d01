"""One catalogue table, as TOML gives it, into a checked `Catalogue`.

Every refusal names the key and says what would be right.
"""

from __future__ import annotations

import difflib
import itertools
import re
from collections.abc import Mapping
from typing import TypeVar, get_args

import msgspec

from evenkeel.audit.effects.catalogue import AttributeSpec, CallSpec, Catalogue, DecoratorSpec, TypeSpec, parse_type
from evenkeel.audit.model.effects import EffectKind
from evenkeel.kernel.errors import ConfigurationError

EFFECT_KINDS: frozenset[str] = frozenset(get_args(EffectKind))
_EFFECT_FIELDS = (
    "effects",
    "adds",
    "enter_effects",
    "exit_effects",
    "iterate_effects",
    "await_effects",
    "statement_effects",
)
_TYPE_FIELDS = ("returns", "enter", "iterates", "awaited", "type")
_NAME = re.compile(r"[A-Za-z_]\w*(\(\))?(\.[A-Za-z_]\w*(\(\))?)*(\.\*)?")
_Spec = TypeVar("_Spec", CallSpec, TypeSpec, AttributeSpec, DecoratorSpec)


def read_catalogue(table: Mapping[str, object], origin: str) -> Catalogue:
    """Check `table` and return it with expanded keys; `origin` (a file or table name) opens every message.

    Raises ConfigurationError for an unknown key or effect kind, a value of the wrong type, or an unreadable type
    expression.
    """
    _check_keys(table, Catalogue, origin)
    heads = {key: table[key] for key in ("library", "source", "imports") if key in table}
    try:
        head = msgspec.convert(heads, Catalogue)
        aliases = msgspec.convert(table.get("aliases", {}), dict[str, str])
    except msgspec.ValidationError as error:
        raise ConfigurationError(f"{origin}: {error}.", hint="Give strings, or lists of strings.") from error
    types = _section(table, "types", TypeSpec, origin)
    return Catalogue(
        library=head.library,
        source=head.source,
        imports=head.imports,
        types={key: _with_imports(spec, head.imports) for key, spec in types.items()},
        calls=_section(table, "calls", CallSpec, origin),
        attributes=_section(table, "attributes", AttributeSpec, origin),
        decorators=_section(table, "decorators", DecoratorSpec, origin),
        aliases=_aliases(aliases, types, origin),
    )


def expand(key: str) -> list[str]:
    """`a.{b,c}.d` is `a.b.d` and `a.c.d`; without braces the key alone. Raises ValueError on an unclosed brace."""
    return ["".join(choice) for choice in _choices(key)]


def _choices(key: str) -> list[tuple[str, ...]]:
    """Every way through the key; the odd pieces are the alternatives chosen."""
    pieces = re.split(r"\{([^{}]*)\}", key)
    if any("{" in piece or "}" in piece for piece in pieces):
        raise ValueError("a brace is not closed")
    choices = ([each.strip() for each in piece.split(",")] if odd % 2 else [piece] for odd, piece in enumerate(pieces))
    return list(itertools.product(*choices))


def _chosen(key: str) -> list[str]:
    return [choice[-2] if len(choice) > 1 else "" for choice in _choices(key)]


def _section(table: Mapping[str, object], section: str, shape: type[_Spec], origin: str) -> dict[str, _Spec]:
    found: dict[str, _Spec] = {}
    entries = table.get(section, {})
    if not isinstance(entries, Mapping):
        raise ConfigurationError(
            f"{origin}.{section} is not a table.", hint='Write entries as "dotted.name" = { ... }.'
        )
    for key, value in entries.items():
        path = f"{origin}.{section}.{key!r}"
        spec = _spec(value, shape, path)
        for name in _names(key, path):
            if name in found:
                raise ConfigurationError(f"{path}: {name!r} is given twice.", hint="Keep one of the two.")
            found[name] = spec
    return found


def _names(key: str, path: str) -> list[str]:
    try:
        names = expand(key)
    except ValueError as error:
        raise ConfigurationError(f"{path}: {error}.", hint='Alternatives are written "package.{one,two}".') from error
    for name in names:
        if not _NAME.fullmatch(name):
            raise ConfigurationError(f"{path}: {name!r} is not a dotted name.", hint='Write "package.Class.method".')
    return names


def _spec(value: object, shape: type[_Spec], path: str) -> _Spec:
    if not isinstance(value, Mapping):
        raise ConfigurationError(f"{path} is not a table.", hint='Write "dotted.name" = { key = value }.')
    _check_keys(value, shape, path)
    try:
        spec = msgspec.convert(value, shape)
    except msgspec.ValidationError as error:
        raise ConfigurationError(f"{path}: {error}.", hint="Correct the value.") from error
    _check_effects(spec, path)
    _check_types(spec, path)
    return spec


def _check_keys(table: Mapping[str, object], shape: type[msgspec.Struct], path: str) -> None:
    known = shape.__struct_fields__
    for key in table:
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            guess = f"Did you mean {near[0]!r}? " if near else ""
            raise ConfigurationError(
                f"{path} has an unknown key {key!r}.", hint=f"{guess}The keys are: {', '.join(known)}."
            )


def _check_effects(spec: msgspec.Struct, path: str) -> None:
    for field in _EFFECT_FIELDS:
        for effect in getattr(spec, field, ()):
            kind = effect.partition(":")[0]
            if kind not in EFFECT_KINDS:
                near = difflib.get_close_matches(kind, sorted(EFFECT_KINDS), n=1)
                guess = f"Did you mean {near[0]!r}? " if near else ""
                raise ConfigurationError(
                    f"{path}.{field}: {kind!r} is not an effect.",
                    hint=f"{guess}The effects are: {', '.join(sorted(EFFECT_KINDS))}.",
                )


def _check_types(spec: msgspec.Struct, path: str) -> None:
    for field in _TYPE_FIELDS:
        expression = getattr(spec, field, "")
        if expression:
            try:
                parse_type(expression)
            except ValueError as error:
                raise ConfigurationError(
                    f"{path}.{field}: {error}.", hint='Write it as "package.Class", "package.Class[$0]" or "list[$T]".'
                ) from error


def _with_imports(spec: TypeSpec, imports: tuple[str, ...]) -> TypeSpec:
    return msgspec.structs.replace(spec, imports=imports) if spec.names and not spec.imports else spec


def _aliases(written: dict[str, str], types: dict[str, TypeSpec], origin: str) -> dict[str, str]:
    found: dict[str, str] = {}
    pairs: list[tuple[str, str]] = [*written.items()]
    pairs += [(alias, name) for name, spec in types.items() for alias in spec.aliases]
    for key, target in pairs:
        for alias, chosen in zip(_names(key, f"{origin}.aliases.{key!r}"), _chosen(key), strict=True):
            meant = target.replace("{}", chosen)
            if found.setdefault(alias, meant) != meant:
                raise ConfigurationError(
                    f"{origin}: the alias {alias!r} stands for {found[alias]!r} and for {meant!r}.",
                    hint="Keep one of the two.",
                )
    return found
