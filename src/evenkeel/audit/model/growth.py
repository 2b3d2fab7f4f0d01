"""Growth: containers that live as long as the process, where they grow, and whether anything makes them smaller.

A container lasts when it is bound at the top level of a module, in a class body, on the application's state, or on an object
of a class of which the process keeps an instance. It shrinks when something anywhere in the project takes elements out,
binds it anew, looks at its size before it grows, or hands it to code that could do so.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal, NamedTuple

from evenkeel.audit.model.facts import Assignment, Value
from evenkeel.audit.model.mentions import mentioning
from evenkeel.audit.model.places import at_assignment, at_block
from evenkeel.audit.model.view import CallView, FunctionView, ModuleView

Scope = Literal["module", "class", "object", "state"]

STATE_ELEMENT = re.compile(r"(?:\w+\.)*app\.state\.(\w+)\[\]")
PLAIN = frozenset({"dict", "list", "set", "collections.defaultdict", "collections.OrderedDict", "collections.Counter"})
GROWING = frozenset({"append", "add", "setdefault", "update", "extend", "insert", "appendleft"})
REMOVING = frozenset({"pop", "popitem", "clear", "remove", "discard", "popleft", "difference_update", "move_to_end"})
LOCKS = re.compile(r"\.(R?Lock|(Bounded)?Semaphore|Condition)$")
HARMLESS = frozenset(
    {"len", "list", "sorted", "dict", "set", "str", "repr", "print", "isinstance", "any", "all", "sum", "id"}
)


class Container(NamedTuple):
    """A dict, list, or set that lasts. `name` is its last name; `owner` the class it belongs to, as written there."""

    name: str
    scope: Scope
    owner: str
    line: int
    makes_missing: bool = False  # reading a key that is not there adds it
    kept: bool = True  # the process is known to keep it; else only what is put into it can tell


class Growth(NamedTuple):
    """One place where a container grows. `keys` are the chains that say which element; () for a constant one. `lock`: what
    is put into it is a lock, which is there to be shared."""

    container: Container
    place: CallView
    keys: tuple[str, ...]
    lock: bool = False


def containers(module: ModuleView) -> tuple[Container, ...]:
    """The lasting containers that a module defines, empty at first."""
    return (*_of_module(module), *_of_classes(module), *_of_objects(module), *_of_state(module))


def _of_module(module: ModuleView) -> Iterator[Container]:
    top = module.functions[0]
    for each in top.fact.assignments:
        if len(each.targets) == 1 and each.targets[0].isidentifier() and each.operator == "=":
            plain, missing = _is_plain(top, each.value)
            if plain:
                yield Container(each.targets[0], "module", "", each.line, missing)


def _of_classes(module: ModuleView) -> Iterator[Container]:
    for each in module.outline.classes:
        values = {"dataclass", "dataclasses.dataclass"}
        if any(decorator.chain in values for decorator in each.decorators):
            continue
        for attribute in each.attributes:
            plain, missing = _is_plain(module.functions[max(each.parent, 0)], attribute.value)
            if plain and attribute.targets:
                yield Container(attribute.targets[0], "class", each.qualname, attribute.line, missing)


def _of_objects(module: ModuleView) -> Iterator[Container]:
    """Attributes that constructors set to an empty container; `kept` when the class is a lasting one."""
    name = module.outline.module
    for function in module.functions:
        if not function.name.endswith(".__init__") or function.fact.owner < 0:
            continue
        owner = module.outline.classes[function.fact.owner].qualname
        kept = f"{name}.{owner}" in module.index.lasting
        for each in function.fact.assignments:
            plain, missing = _is_plain(function, each.value)
            if plain and len(each.targets) == 1 and each.targets[0].startswith("self."):
                yield Container(each.targets[0].removeprefix("self."), "object", owner, each.line, missing, kept)


def _of_state(module: ModuleView) -> Iterator[Container]:
    """What the module itself adds elements to on the application's state, wherever that is set up."""
    seen: set[str] = set()
    for function in module.functions if module.holds("app.state.") else ():
        for each in function.fact.assignments if function.holds("app.state.") else ():
            match = next((found for target in each.targets if (found := STATE_ELEMENT.fullmatch(target))), None)
            if match and match[1] not in seen:
                seen.add(match[1])
                yield Container(match[1], "state", "", each.line)


def _is_plain(function: FunctionView, value: Value) -> tuple[bool, bool]:
    """Whether a value is an empty container without a bound of its own; and whether it makes elements that are missing."""
    if value.kind in {"dict", "list", "set"}:
        return value.size == 0, False
    call = function.call(value.call) if value.kind == "call" else None
    if call is None or call.library not in PLAIN:
        return False, False
    missing = call.library == "collections.defaultdict"
    return missing or not call.fact.arguments, missing


# -- where they grow -----------------------------------------------------------------------------------------------


def growths(module: ModuleView, container: Container) -> Iterator[Growth]:
    """Every place where the container grows: in the module that defines it, and in those that import it."""
    yield from _growths_in(module, container, _chains(container))
    if container.scope == "module":
        for other, names in _importing(module, container):
            yield from _growths_in(other, container, names)


def _growths_in(module: ModuleView, container: Container, names: tuple[str, ...]) -> Iterator[Growth]:
    elements = {f"{each}[]" for each in names}
    owner = f".{container.owner}." if container.scope in {"class", "object"} else "."
    for function in module.functions[1:] if names else ():
        if owner not in f".{function.name}" or not function.holds(*names) or not _can_see(function, container, names):
            continue
        for assignment in function.fact.assignments:
            if assignment.operator == "=" and elements.intersection(assignment.targets):
                lock = _is_lock(function, assignment.value)
                yield Growth(container, at_assignment(function, assignment), _outside_names(assignment.keys), lock)
        for call in function.calls:
            yield from _by_call(container, call, names)
        if container.makes_missing:
            yield from _by_reading(function, container, elements)


def _by_reading(function: FunctionView, container: Container, elements: set[str]) -> Iterator[Growth]:
    """`async with locks[key]:` and `lock = locks[key]`, of a dict that makes what is missing."""
    for number, block in enumerate(function.fact.blocks):
        if block.kind == "with" and block.subject is not None and _reads(block.subject, elements):
            yield Growth(container, at_block(function, number), ("",))
    for assignment in function.fact.assignments:
        if _reads(assignment.value, elements):
            yield Growth(container, at_assignment(function, assignment), ("",))


def _reads(value: Value, elements: set[str]) -> bool:
    """Whether it is an element by a key that is no literal."""
    return value.kind == "name" and value.text in elements and not any(each.startswith("'") for each in value.names)


def _imported(module: ModuleView, target: str) -> Iterator[str]:
    """How another module writes the name: `cache`, `store.cache`."""
    home, _, name = target.rpartition(".")
    for each in module.outline.imports:
        if each.target == target:
            yield each.name
        elif each.target == home:
            yield f"{each.name}.{name}"


def _importing(module: ModuleView, container: Container) -> Iterator[tuple[ModuleView, tuple[str, ...]]]:
    """The other modules that import the container or its module, with the names that they write for it."""
    home = module.outline.module
    for path in _elsewhere(module, container):
        other = module.neighbour(path)
        names = tuple(_imported(other, f"{home}.{container.name}")) if other is not None else ()
        if other is not None and names:
            yield other, names


def _elsewhere(module: ModuleView, container: Container) -> Iterator[str]:
    """Paths of the other files that may mention the container."""
    paths = (module.index.files[number][0] for number in mentioning(module.index, container.name))
    return (each for each in paths if each != module.path)


def _shrinks_elsewhere(module: ModuleView, container: Container) -> bool:
    for path in _elsewhere(module, container):
        with module.visit(path) as other:
            found = other.holds(container.name) and any(
                _shrinks(function, container, elsewhere=True)
                for function in other.functions
                if function.holds(container.name)
            )
        if found:
            return True
    return False


def _by_call(container: Container, call: CallView, names: tuple[str, ...]) -> Iterator[Growth]:
    if call.holder in names and call.name in GROWING:
        first = call.argument(0)
        lock = _is_lock(call.function, call.argument(1)) and call.name == "setdefault"
        yield Growth(container, call, _outside_names(first.names) if first is not None else (), lock)
    elif container.makes_missing and call.holder.partition("[]")[0] in names and "[]" in call.holder:
        yield Growth(container, call, ("",))


def _is_lock(function: FunctionView, value: Value | None) -> bool:
    made = function.call(value.call) if value is not None and value.kind == "call" else None
    return made is not None and LOCKS.search(made.library) is not None


def _outside_names(chains: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(each for each in chains if not each[:1].isupper() and not each.startswith("'"))


def _can_see(function: FunctionView, container: Container, names: tuple[str, ...]) -> bool:
    fact = function.fact
    if container.scope == "module":
        shadowed = any(each.name in names for each in fact.parameters)
        bound = any(name in each.targets for each in fact.assignments for name in names)
        return not shadowed and (not bound or container.name in fact.globals)
    return container.scope == "state" or fact.qualname.startswith(f"{container.owner}.")


def _chains(container: Container) -> tuple[str, ...]:
    if container.scope == "module":
        return (container.name,)
    if container.scope == "object":
        return (f"self.{container.name}",)
    if container.scope == "state":
        return tuple(
            f"{holder}state.{container.name}" for holder in ("app.", "request.app.", "self.app.", "websocket.app.")
        )
    return (f"self.{container.name}", f"cls.{container.name}", f"{container.owner}.{container.name}")


# -- what makes them smaller ---------------------------------------------------------------------------------------


def may_shrink(module: ModuleView, container: Container) -> bool:
    """Whether anything in the project takes elements out of the container, or could."""
    chains = _chains(container)
    if any(_shrinks(function, container) for function in module.functions if function.holds(*chains)):
        return True
    if container.scope != "module" and container.name.startswith("_"):
        return False  # private to its class
    return _shrinks_elsewhere(module, container)


def _shrinks(function: FunctionView, container: Container, *, elsewhere: bool = False) -> bool:
    def meant(chain: str) -> bool:
        return _is_meant(chain, container, elsewhere=elsewhere)

    fact = function.fact
    if any(_rebinds(each, fact.name, container, meant(target)) for each in fact.assignments for target in each.targets):
        return True
    if any(
        each.operator == "del" and meant(target.removesuffix("[]"))
        for each in fact.assignments
        for target in each.targets
    ):
        return True
    if any(meant(each.value.text) for each in fact.assignments if each.value.kind == "name"):
        return True  # another name for it: what happens there is not followed
    parts = (each.chain.rpartition(".") for each in fact.reads)
    if any(meant(holder) and name in REMOVING for holder, _, name in parts):
        return True  # handed over as a callback: `task.add_done_callback(tasks.discard)`
    if any(
        b.subject is not None and "len(" in b.subject.text and any(map(meant, b.subject.names)) for b in fact.blocks
    ):
        return True
    return any(
        _takes_out(call, meant(call.holder)) or _hands_out(call, container, elsewhere=elsewhere)
        for call in function.calls
    )


def _is_meant(chain: str, container: Container, *, elsewhere: bool) -> bool:
    """Whether a chain can name the container: exactly in its own file, by its last name in others."""
    if not elsewhere:
        return chain in _chains(container)
    last = chain.rpartition(".")[2]
    return last == container.name and (chain != last or container.scope == "module")


def _rebinds(assignment: Assignment, function: str, container: Container, meant: bool) -> bool:
    """`cache = {}` again, outside of where it is bound first."""
    first = assignment.line == container.line or function in {"<module>", "__init__"}
    return meant and assignment.operator == "=" and not first


def _takes_out(call: CallView, meant: bool) -> bool:
    return meant and call.name in REMOVING


def _hands_out(call: CallView, container: Container, *, elsewhere: bool) -> bool:
    """Whether the container itself is passed to something that could change it."""
    if call.library.rpartition(".")[2] in HARMLESS:
        return False
    values = (each.value for each in call.fact.arguments)
    return any(v.kind == "name" and _is_meant(v.text, container, elsewhere=elsewhere) for v in values)
