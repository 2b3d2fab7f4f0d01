"""Entry points: functions that something outside the code base calls, and what kind of thing that is."""

from __future__ import annotations

from collections.abc import Iterator

from evenkeel.audit.effects.link import Linker
from evenkeel.audit.effects.resolve import Resolver
from evenkeel.audit.effects.summary import Summary
from evenkeel.audit.effects.types import Type
from evenkeel.audit.model.facts import END, Call, Function, Value
from evenkeel.audit.model.index import LinkedFunction, Role

START_UP_KEYWORDS = frozenset({"lifespan", "on_startup", "on_shutdown", "startup", "startup_hooks"})
START_UP_LISTS = frozenset({"on_startup", "on_shutdown", "on_cleanup", "cleanup_ctx", "lifespan"})  # `.append(f)`
SLEEPS = frozenset({"sleep"})
WAITS = frozenset({"dequeue"})


def declared_entry(resolver: Resolver, function_id: int, function: Function, kind: str) -> Role:
    """What its decorators, its class or its file make of a function."""
    for decorator in function.decorators:
        spec = resolver.library.decorator(resolver.decorator(function_id, decorator.chain))
        if spec is not None and spec.entry is not None:
            return spec.entry
    if function.owner >= 0:
        return _method_entry(resolver, function_id, function)
    if kind == "migration":
        return "migration"
    return "cli" if function.qualname == "<module>" and _is_program(function) else ""


def runs_on_loop(resolver: Resolver, function_id: int, function: Function) -> bool:
    """Whether the framework runs it on the event loop: `async def`, or a plain `def` that nothing sends to a thread."""
    if function.is_async:
        return True
    for decorator in function.decorators:
        spec = resolver.library.decorator(resolver.decorator(function_id, decorator.chain))
        if spec is not None and spec.on_loop:
            return not any(f"{each.keyword}={each.value.text}" == spec.on_loop for each in decorator.arguments)
    return False


def _method_entry(resolver: Resolver, function_id: int, function: Function) -> Role:
    owner = resolver.owner(function_id)
    if owner is None:
        return ""
    for ancestor in resolver.lineage(Type(owner.name)):
        for base in resolver.library.lineage(ancestor.name):
            spec = resolver.library.type_spec(base)
            if spec.entry is not None and function.name in spec.entry_methods:
                return spec.entry
    return ""


def _is_program(function: Function) -> bool:
    return any(
        block.kind == "if" and block.subject is not None and "__main__" in block.subject.text
        for block in function.blocks
    )


def registered_entries(linker: Linker, function: Function, linked: LinkedFunction) -> Iterator[tuple[int, Role]]:
    """Functions that a call of this one registers as entry points: `app.add_route("/", handler)`."""
    function_id = linked.id
    registering = {each for each in {each.library for each in linked.links} if each and linker.library.registers(each)}
    libraries = {each.call: each.library for each in linked.links if registering and each.library in registering}
    for index, call in enumerate(function.calls):
        if not call.arguments:
            continue
        if index in libraries:
            yield from _by_library(linker, function_id, function, call, libraries[index])
        if call.callee.endswith(".append") and call.callee.split(".")[-2] in START_UP_LISTS:
            given = linker.functions_in(function_id, function, call.arguments[0].value, call.position)
            yield from ((each, "startup") for each in given)
        for argument in call.arguments:
            if argument.keyword in START_UP_KEYWORDS:
                for each in linker.functions_in(function_id, function, argument.value, call.position):
                    yield each, "startup"


def _by_library(
    linker: Linker, function_id: int, function: Function, call: Call, name: str
) -> Iterator[tuple[int, Role]]:
    spec = linker.library.call(name)
    if spec.registers >= 0 and spec.entry is not None:
        value = linker.library.argument(call, spec.registers, spec)
        yield from ((each, spec.entry) for each in _registered(linker, function_id, function, call, value))
    else:
        yield from _decorated_by_hand(linker, function_id, function, call, name)


def _decorated_by_hand(
    linker: Linker, function_id: int, function: Function, call: Call, name: str
) -> Iterator[tuple[int, Role]]:
    """`app.before_request(load_user)`: a decorator that is called as a function."""
    value = call.arguments[0].value
    spec = linker.library.decorator(name) if value.kind in {"name", "lambda"} else None
    if spec is not None and spec.entry is not None:
        for each in linker.functions_in(function_id, function, value, call.position):
            yield each, spec.entry


def _registered(linker: Linker, function_id: int, function: Function, call: Call, value: Value | None) -> Iterator[int]:
    if value is not None:
        yield from linker.functions_in(function_id, function, value, call.position)
        yield from _view_methods(linker, function_id, function, value.call)


def _view_methods(linker: Linker, function_id: int, function: Function, index: int) -> Iterator[int]:
    """`path("x", View.as_view())`: the class's entry methods."""
    if index < 0 or not function.calls[index].callee.endswith(".as_view"):
        return
    holder = linker.resolver.chain(function_id, function.calls[index].callee.removesuffix(".as_view"), -1, END)
    if holder.name != "type":
        return
    for name in ("get", "post", "put", "patch", "delete", "dispatch", "get_queryset", "get_context_data", "form_valid"):
        method = linker.resolver.member(holder.args[0], name)
        if method.name.startswith("def:"):
            yield int(method.name[4:])


def is_consumer(summary: Summary) -> bool:
    """A loop that waits for work again and again: `while True` around a dequeue, or around a query and a sleep."""
    if summary.has_stream and any(own.effect.kind == "dequeue" for own in summary.effects):
        return True
    if not summary.has_while:
        return False
    kinds = {own.effect.kind for own in summary.effects if own.looped}
    return bool(kinds & WAITS) or bool(kinds & SLEEPS and (kinds & {"db-read", "db-write"} or _calls_inside(summary)))


def _calls_inside(summary: Summary) -> bool:
    return any(edge.looped for edge in summary.edges)
