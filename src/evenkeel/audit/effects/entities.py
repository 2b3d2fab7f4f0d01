"""Persistent classes of the project: tables, columns, relationships, from class bodies and the catalogue."""

from __future__ import annotations

import re
from collections.abc import Iterator

from evenkeel.audit.effects.relations import Maker, relate, related_type
from evenkeel.audit.effects.resolve import Resolver
from evenkeel.audit.effects.symbols import ClassSymbol
from evenkeel.audit.effects.types import Type, parse_type
from evenkeel.audit.model.facts import Argument, Assignment, Call
from evenkeel.audit.model.index import Entity, Relation

COLUMN_MAKERS = ("Column", "mapped_column", "Field", "deferred", "column_property")
RELATION_MAKERS = ("relationship", "ForeignKey", "ForeignKeyField", "OneToOneField", "ManyToManyField", "Relationship")
MANY = ("list", "List", "set", "Set", "Sequence", "ReverseRelation", "ManyToManyRelation", "Collection")
EAGER = ("joined", "selectin", "subquery", "immediate", "False")
NEVER = ("noload", "raise", "raise_on_sql", "dynamic", "write_only")
QUERY = "sqlalchemy.orm.Query"  # what a dynamic relationship gives
LAZY_NAMED = re.compile(r"""["']lazy["']\s*:\s*["']?(\w+)|\blazy\s*=\s*["']?(\w+)""")
WIDE = ("Text", "JSON", "JSONB", "LargeBinary", "BYTEA", "BinaryField", "TextField", "JSONField", "Vector")


def find_entities(resolver: Resolver) -> dict[str, Entity]:
    """Every persistent class by qualified name, relationship targets resolved to qualified names."""
    makers: list[Maker] = []
    queried: list[tuple[str, str, str]] = []
    found = {
        name: _read(resolver, symbol, makers, queried)
        for name, symbol in resolver.symbols.classes.items()
        if is_entity(resolver, name)
    }
    by_short: dict[str, list[str]] = {}
    for name in found:
        by_short.setdefault(name.rpartition(".")[2], []).append(name)
    for owner, name, target in queried:
        resolver.related[owner, name] = Type(QUERY, (Type(_nearest(owner, target, by_short)),))
    targeted = {name: _with_targets(entity, by_short) for name, entity in found.items()}
    by_name = {(entity.name, each.name): each for entity in targeted.values() for each in entity.relations}
    named = [(owner, by_name[owner, each.name], call, manager) for owner, each, call, manager in makers]
    managed = {(owner, each.name) for owner, each, _, manager in named if manager and each.many}
    return relate(resolver, {name: _without(each, managed) for name, each in targeted.items()}, named)


def _without(entity: Entity, managed: set[tuple[str, str]]) -> Entity:
    """Relations that are read through a manager load nothing when they are read."""
    relations = tuple(each for each in entity.relations if (entity.name, each.name) not in managed)
    return Entity(entity.name, entity.table, entity.columns, relations, entity.file, entity.line, entity.wide)


def is_entity(resolver: Resolver, class_name: str) -> bool:
    """Whether a class derives from a library's persistent base class."""
    lineage = resolver.lineage(Type(class_name))
    library = resolver.library
    return any(
        library.type_spec(each).role == "entity" for base in lineage for each in library.lineage(base.name)
    ) or any(base.name.rpartition(".")[2] == "declarative_base" for base in lineage)


def _read(resolver: Resolver, symbol: ClassSymbol, makers: list[Maker], queried: list[tuple[str, str, str]]) -> Entity:
    """`queried` takes the relationships that give a query: owner, name, target."""
    relations: dict[str, Relation] = {}
    columns: dict[str, str] = {}
    table = ""
    for base in resolver.lineage(Type(symbol.name)):
        ancestor = resolver.symbols.classes.get(base.name)
        if ancestor is None:
            continue
        for name, assignment in resolver.symbols.body(ancestor).attributes.items():
            if name == "__tablename__":
                table = table or assignment.value.text.strip("\"'")
            relation = _relation(resolver, ancestor, name, assignment)
            if relation is not None:
                relations.setdefault(name, relation)
                makers.extend(_made(resolver, symbol, ancestor, relation, assignment))
            elif target := _queried(resolver, ancestor, assignment):
                queried.append((symbol.name, name, target))
            elif _is_column(resolver, ancestor, assignment):
                columns.setdefault(name, f"{assignment.annotation} {assignment.value.text}")
    path = resolver.symbols.modules[symbol.place.file].path
    wide = tuple(name for name, text in columns.items() if any(each in text for each in WIDE))
    return Entity(
        symbol.name,
        table or symbol.name.rpartition(".")[2].lower(),
        len(columns),
        tuple(relations.values()),
        path,
        symbol.line,
        wide,
    )


def _made(
    resolver: Resolver, symbol: ClassSymbol, ancestor: ClassSymbol, relation: Relation, assignment: Assignment
) -> Iterator[Maker]:
    call = _maker(resolver, ancestor, assignment)
    if call is not None:
        function_id = resolver.symbols.first_id[ancestor.place.file]
        function_id += ancestor.parent
        yield symbol.name, relation, call, related_type(resolver, function_id, assignment.value.call)


def _maker(resolver: Resolver, symbol: ClassSymbol, assignment: Assignment) -> Call | None:
    if assignment.value.kind != "call" or assignment.value.call < 0:
        return None
    function_id = resolver.symbols.first_id[symbol.place.file] + symbol.parent
    calls = resolver.symbols.function(function_id).calls
    return calls[assignment.value.call] if assignment.value.call < len(calls) else None


def _is_column(resolver: Resolver, symbol: ClassSymbol, assignment: Assignment) -> bool:
    maker = _maker(resolver, symbol, assignment)
    if maker is not None:
        return maker.callee.endswith(COLUMN_MAKERS)
    return "Mapped[" in assignment.annotation


def _relation(resolver: Resolver, symbol: ClassSymbol, name: str, assignment: Assignment) -> Relation | None:
    maker = _maker(resolver, symbol, assignment)
    if maker is None or not maker.callee.endswith(RELATION_MAKERS):
        return None
    short = maker.callee.rpartition(".")[2]
    if short == "ForeignKey" and not maker.arguments:
        return None
    if (
        short == "ForeignKey"
        and "." in maker.arguments[0].value.text.strip("\"'")
        and maker.callee.startswith(("sa.", "ForeignKey"))
    ):
        return None
    lazy = _lazy(maker)
    if lazy in NEVER or "DynamicMapped[" in assignment.annotation or "WriteOnlyMapped[" in assignment.annotation:
        return None
    target, many = _target(assignment.annotation, maker.arguments)
    target = _class_named(resolver, symbol, maker) or target
    many = many or short == "ManyToManyField"
    return Relation(name, target, lazy not in EAGER, many) if target else None


def _lazy(maker: Call) -> str:
    """How a relationship is loaded, as written; SQLModel hands SQLAlchemy's words on in a dictionary."""
    for each in maker.arguments:
        if each.keyword == "lazy":
            return each.value.text.strip("\"'")
        if each.keyword == "sa_relationship_kwargs":
            named = LAZY_NAMED.search(each.value.text)
            return (named[1] or named[2]) if named is not None else ""
    return ""


def _queried(resolver: Resolver, symbol: ClassSymbol, assignment: Assignment) -> str:
    """The target of a relationship whose reading gives a query: `relationship("Post", lazy="dynamic")`."""
    maker = _maker(resolver, symbol, assignment)
    if maker is None or not maker.callee.endswith(("relationship", "Relationship", "dynamic_loader")):
        return ""
    lazy = _lazy(maker)
    is_query = lazy == "dynamic" or maker.callee.endswith("dynamic_loader") or "DynamicMapped[" in assignment.annotation
    return _target(assignment.annotation, maker.arguments)[0] if is_query else ""


def _class_named(resolver: Resolver, symbol: ClassSymbol, maker: Call) -> str:
    """A library's entity that the first argument is (`User`, `settings.AUTH_USER_MODEL`): the only heir it has here."""
    value = next((each.value for each in maker.arguments if each.keyword in {"", "to"}), None)
    if value is None or value.kind != "name":
        return ""
    found = resolver.chain(resolver.symbols.first_id[symbol.place.file], value.text, value.call, maker.position)
    name = found.args[0].name if found.name == "type" and found.args else found.name.removeprefix("lib:")
    if resolver.library.type_spec(name).role != "entity":
        return ""
    heirs = [each for each in resolver.symbols.classes if any(b.name == name for b in _bases(resolver, each))]
    return heirs[0].rpartition(".")[2] if len(heirs) == 1 else name


def _bases(resolver: Resolver, class_name: str) -> Iterator[Type]:
    for base in resolver.lineage(Type(class_name))[1:]:
        yield from (Type(each) for each in resolver.library.lineage(base.name))


def _target(annotation: str, arguments: tuple[Argument, ...]) -> tuple[str, bool]:
    text, many = annotation, False
    for _ in range(4):
        head, inner = parse_type(text)
        if head == "|":
            text = next((each for each in inner if each != "None"), "")
        elif inner:
            many = many or head.rpartition(".")[2] in MANY
            text = inner[0]
        else:
            break
    if text and parse_type(text)[0]:
        return parse_type(text)[0], many
    positional = [each.value.text for each in arguments if each.keyword in {"", "to"}]
    target = positional[0].strip("\"'").rpartition(".")[2] if positional else ""
    uselist = next((each.value.text for each in arguments if each.keyword == "uselist"), "")
    return (target if target.isidentifier() else ""), uselist == "True"


def _with_targets(entity: Entity, by_short: dict[str, list[str]]) -> Entity:
    relations = tuple(_resolved(entity, each, by_short) for each in entity.relations)
    return Entity(entity.name, entity.table, entity.columns, relations, entity.file, entity.line, entity.wide)


def _resolved(entity: Entity, relation: Relation, by_short: dict[str, list[str]]) -> Relation:
    if relation.target == "self":
        return Relation(relation.name, entity.name, relation.lazy, relation.many)
    return Relation(relation.name, _nearest(entity.name, relation.target, by_short), relation.lazy, relation.many)


def _nearest(owner: str, target: str, by_short: dict[str, list[str]]) -> str:
    candidates = by_short.get(target.rpartition(".")[2], [])
    return max(candidates, key=lambda each: _common_prefix(each, owner), default=target)


def _common_prefix(left: str, right: str) -> int:
    return next(_differences(left, right), min(len(left), len(right)))


def _differences(left: str, right: str) -> Iterator[int]:
    return (index for index, (a, b) in enumerate(zip(left, right, strict=False)) if a != b)
