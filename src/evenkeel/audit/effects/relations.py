"""Relations seen from both sides: what reading a relationship gives, and the names it has on the other side.

`class Book: author = ForeignKey(Author)` gives every author a `book_set`; `relationship("Post", backref="author")` gives
every post an `author`. Nothing of that stands in the class that has it.
"""

from __future__ import annotations

from collections.abc import Iterator

from evenkeel.audit.effects.resolve import Resolver
from evenkeel.audit.effects.types import Type
from evenkeel.audit.model.facts import Argument, Call
from evenkeel.audit.model.index import Entity, Relation

Maker = tuple[str, Relation, Call, str]  # entity, its relation, the call that makes it, the type of its related manager


def related_type(resolver: Resolver, function_id: int, index: int) -> str:
    """The type through which the other side of a relationship is queried: Django's related manager; "" for others."""
    callee = resolver.call(function_id, index)[0].name
    return resolver.library.call(callee.partition(":")[2]).related


def relate(resolver: Resolver, entities: dict[str, Entity], makers: list[Maker]) -> dict[str, Entity]:
    """The entities with their back references; the resolver is told what reading each relationship gives."""
    given: dict[str, list[Relation]] = {}
    for owner, relation, call, manager in makers:
        if relation.target not in entities:
            if resolver.library.type_spec(relation.target).role == "entity":
                resolver.related[owner, relation.name] = _given(relation, manager if relation.many else "")
            continue
        resolver.related[owner, relation.name] = _given(relation, manager if relation.many else "")
        for name, many in _names_there(owner, call, manager):
            back = Relation(name, owner, _lazily(call), many)
            if _is_dynamic(call):
                resolver.related.setdefault((relation.target, name), Type("sqlalchemy.orm.Query", (Type(owner),)))
                continue
            resolver.related.setdefault((relation.target, name), _given(back, manager if many else ""))
            if not (manager and many):
                given.setdefault(relation.target, []).append(back)
    resolver.forget_names()
    return {name: _with_back_references(each, given.get(name, [])) for name, each in entities.items()}


def _given(relation: Relation, manager: str) -> Type:
    element = Type(relation.target)
    if manager:
        return Type(manager, (element,))
    return Type("list", (element,)) if relation.many else element


def _names_there(owner: str, call: Call, manager: str) -> Iterator[tuple[str, bool]]:
    """The name of the relation on the other side, and whether it gives many."""
    named = {each.keyword: each for each in call.arguments}
    short = call.callee.rpartition(".")[2]
    if "backref" in named:
        text = _text(named["backref"])
        if text:
            yield text, not _is_many(call)
    elif manager or short == "OneToOneField":
        model = owner.rpartition(".")[2].lower()
        name = _text(named["related_name"]) if "related_name" in named else ""
        name = name.replace("%(class)s", model)
        many = short != "OneToOneField"
        if "+" not in name and "%" not in name:
            yield name or (f"{model}_set" if many else model), many


def _text(argument: Argument) -> str:
    """A name in quotes, or the first argument of `backref("author", ...)`."""
    if argument.value.kind == "string":
        return argument.value.text.strip("\"'")
    inner = argument.value.text.partition("(")[2].partition(",")[0].strip(" )\"'")
    return inner if argument.value.kind == "call" and inner.isidentifier() else ""


def _is_many(call: Call) -> bool:
    """`relationship(..., backref=...)`: the side that declares it holds the list unless told otherwise."""
    return any(each.keyword == "secondary" for each in call.arguments) is False and not any(
        each.keyword == "uselist" and each.value.text == "False" for each in call.arguments
    )


def _lazily(call: Call) -> bool:
    back = next((each.value.text for each in call.arguments if each.keyword == "backref"), "")
    return not any(f'lazy="{how}"' in back or f"lazy='{how}'" in back for how in ("joined", "selectin", "subquery"))


def _is_dynamic(call: Call) -> bool:
    """Whether the back reference gives a query: `backref("posts", lazy="dynamic")`."""
    back = next((each.value.text for each in call.arguments if each.keyword == "backref"), "")
    return 'lazy="dynamic"' in back or "lazy='dynamic'" in back


def _with_back_references(entity: Entity, back: list[Relation]) -> Entity:
    own = {each.name for each in entity.relations}
    added = tuple(each for each in back if each.name not in own)
    relations = (*entity.relations, *added)
    return Entity(entity.name, entity.table, entity.columns, relations, entity.file, entity.line, entity.wide)
