"""Calls that the language makes without writing them: properties, `with`, `for`, injected dependencies, lazy queries."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from evenkeel.audit.effects.class_views import view_reads
from evenkeel.audit.effects.library import made_effects
from evenkeel.audit.effects.reads import Implicit, implied_call, reads
from evenkeel.audit.effects.serialisers import serialised_reads
from evenkeel.audit.effects.types import UNKNOWN, Type, parse_type, split_top
from evenkeel.audit.model.effects import Effect
from evenkeel.audit.model.facts import END, Block, Call, Function, Value
from evenkeel.audit.model.index import ImplicitKind, Link

if TYPE_CHECKING:
    from evenkeel.audit.effects.link import Linker

INJECTORS = frozenset({"Depends", "Security", "Provide", "Inject", "FromDishka"})
LAZY = "orm.relationship"  # library name of a read that loads a relationship


def implicit_calls(linker: Linker, function_id: int, function: Function, links: Sequence[Link]) -> list[Implicit]:
    """All of them, as call facts with their links; indices go on after the written calls, whose `links` are given."""
    first = len(function.calls)
    found = _all(linker, function_id, function, links)
    return [(call, _numbered(link, first + number)) for number, (call, link) in enumerate(found)]


def _all(linker: Linker, function_id: int, function: Function, links: Sequence[Link]) -> list[Implicit]:
    found: list[Implicit] = []
    if function.parameters:
        found.extend(_injected(linker, function_id, function))
    for index, block in enumerate(function.blocks):
        if block.subject is None:
            continue
        if block.kind == "with":
            found.extend(_managed(linker, function_id, block, index))
        elif block.kind in {"for", "comprehension"}:
            found.extend(_iterated(linker, function_id, block, index))
    found.extend(reads(linker, function_id, function))
    if linker.members.setters:
        found.extend(_set(linker, function_id, function))
    if function.is_async:
        found.extend(_awaited(linker, function_id, function))
    found.extend(serialised_reads(linker, function_id, function, links))
    found.extend(view_reads(linker, function_id, function))
    return found


def _numbered(link: Link, index: int) -> Link:
    return Link(
        index, link.library, link.targets, link.effects, link.mode, link.runs, link.receiver, link.result, link.query,
        link.certain, link.implicit, link.key,
    )  # fmt: skip


def _injected(linker: Linker, function_id: int, function: Function) -> Iterator[Implicit]:
    enclosing = linker.resolver.enclosing(function_id)
    for parameter in function.parameters:
        default = parameter.default.call if parameter.default else -1
        if default < 0 and not parameter.annotation:
            continue
        name = _dependency_name(
            linker, enclosing, parameter.annotation, function.calls[default] if default >= 0 else None
        )
        if not name:
            continue
        dependency = linker.resolver.chain(enclosing, name, -1, END)
        described = linker.callees.known(dependency)
        if not described.targets:
            continue
        sync = not linker.symbols.function(described.targets[0]).is_async
        call = implied_call(f"<inject> {name}", function.line, -1, 0)
        targets = tuple(described.targets)
        yield (
            call,
            Link(
                0,
                targets=() if sync else targets,
                runs=targets if sync else (),
                mode="offload" if sync else "",
                implicit="inject",
                key=parameter.name,
                result=str(linker.resolver.injected(dependency)),
            ),
        )


def _dependency_name(linker: Linker, enclosing: int, annotation: str, default: Call | None) -> str:
    """The function named in `x = Depends(f)` or `x: Annotated[T, Depends(f)]`."""
    if default is not None and default.callee.rpartition(".")[2] in INJECTORS:
        return default.arguments[0].value.text if default.arguments else parse_type(annotation)[0]
    key = (linker.symbols.places[enclosing].file, annotation)
    known = linker.dependencies.get(key)
    if known is None:
        known = linker.dependencies[key] = _annotated_dependency(linker, enclosing, annotation)
    return known


def _annotated_dependency(linker: Linker, enclosing: int, annotation: str) -> str:
    for _ in range(3):
        head, arguments = parse_type(annotation)
        if head.rpartition(".")[2] == "Annotated":
            return next((found for each in arguments[1:] if (found := _in_call(each))), "")
        annotation = _alias_text(linker, enclosing, head)
        if not annotation:
            return ""
    return ""


def _in_call(text: str) -> str:
    head, _, rest = text.partition("(")
    if head.rpartition(".")[2] not in INJECTORS:
        return ""
    inner = split_top(rest.rstrip(" )"), ",")
    return inner[0] if inner else ""


def _alias_text(linker: Linker, enclosing: int, name: str) -> str:
    """The text a module-level alias was given (`SessionDep = Annotated[...]`), in this file or the one it comes from."""
    symbols = linker.symbols
    file = symbols.places[enclosing].file
    for _ in range(4):
        target = symbols.modules[file].names.get(name)
        if target is None:
            break
        module, _, name = target.rpartition(".")
        if module not in symbols.by_module:
            return ""
        file = symbols.by_module[module]
    bindings = linker.resolver.scope(symbols.first_id[file]).get(name, [])
    values = [getattr(each.payload, "value", None) for each in bindings]
    return next((each.text for each in values if each is not None and "Annotated" in each.text), "")


def _managed(linker: Linker, function_id: int, block: Block, index: int) -> Iterator[Implicit]:
    if block.subject is None:
        return
    manager = linker.resolver.value(function_id, block.subject, block.start)
    prefix = "a" if block.is_async else ""
    pairs: tuple[tuple[ImplicitKind, str, int, int], ...] = (
        ("enter", f"__{prefix}enter__", block.start, block.line),
        ("leave", f"__{prefix}exit__", block.end, block.end_line),
    )
    for kind, special, position, line in pairs:
        targets = _special_targets(linker, manager, (special,))
        effects = _manager_effects(linker, manager, kind, is_async=block.is_async)
        if targets or effects:
            call = implied_call(f"<{kind}> {block.subject.text}", line, position, index)
            yield call, Link(0, targets=targets, effects=effects, implicit=kind, receiver=str(manager))


def _special_targets(linker: Linker, holder: Type, names: tuple[str, ...]) -> tuple[int, ...]:
    if holder.name not in linker.symbols.classes:
        return ()
    found = (linker.resolver.member(holder, name) for name in names)
    return tuple(int(each.name[4:]) for each in found if each.name.startswith("def:"))


def _manager_effects(linker: Linker, manager: Type, kind: str, *, is_async: bool) -> tuple[Effect, ...]:
    """What entering or leaving does. `async with` blocks no thread, whatever the manager was taken for."""
    for ancestor in linker.resolver.lineage(manager):
        for base in linker.library.lineage(ancestor.name):
            spec = linker.library.type_spec(base)
            texts = spec.enter_effects if kind == "enter" else spec.exit_effects
            if texts:
                return made_effects(texts, "", blocking=spec.blocking and not is_async)
    return ()


def _iterated(linker: Linker, function_id: int, block: Block, index: int) -> Iterator[Implicit]:
    if block.subject is None:
        return
    holder = linker.resolver.value(function_id, block.subject, block.start)
    effects = linker.library.lazy_effects(holder, awaited=block.is_async)
    if effects:
        outer = max(_parent(linker, function_id, index), 0)
        call = implied_call(f"<iterate> {block.subject.text}", block.line, block.start, outer)
        yield (
            call,
            Link(0, library=holder.name, effects=effects, implicit="iterate", receiver=str(holder), result="list"),
        )


def _awaited(linker: Linker, function_id: int, function: Function) -> Iterator[Implicit]:
    """`await query`: a query that a variable holds runs when it is awaited."""
    for value, line, position, block in _awaited_names(function):
        holder = linker.resolver.chain(function_id, value.text, value.call, position)
        effects = linker.library.awaited_effects(holder)
        if effects:
            link = Link(0, library=holder.name, effects=effects, implicit="evaluate", receiver=str(holder))
            yield implied_call(f"<await> {value.text}", line, position, block), link


def _awaited_names(function: Function) -> Iterator[tuple[Value, int, int, int]]:
    for each in function.assignments:
        if each.value.awaited and each.value.kind == "name":
            yield each.value, each.line, each.position, each.block
    for end in function.exits:
        if end.value.awaited and end.value.kind == "name":
            yield end.value, end.line, end.position, end.block
    for call in function.calls:
        for argument in call.arguments:
            if argument.value.awaited and argument.value.kind == "name":
                yield argument.value, call.line, call.position, call.block


def _parent(linker: Linker, function_id: int, block: int) -> int:
    return linker.symbols.function(function_id).blocks[block].parent


def _set(linker: Linker, function_id: int, function: Function) -> Iterator[Implicit]:
    for assignment in function.assignments:
        for target in assignment.targets:
            if "." not in target or target.endswith("[]"):
                continue
            holder, _, name = target.rpartition(".")
            if name not in linker.members.setters:
                continue
            owner = linker.resolver.chain(function_id, holder, -1, assignment.position) if holder else UNKNOWN
            setter = linker.resolver.member(owner, f"{name}=") if owner.name in linker.symbols.classes else UNKNOWN
            if setter.name.startswith("def:"):
                call = implied_call(f"<set> {target}", assignment.line, assignment.position, assignment.block)
                yield call, Link(0, targets=(int(setter.name[4:]),), implicit="set", receiver=str(owner))
