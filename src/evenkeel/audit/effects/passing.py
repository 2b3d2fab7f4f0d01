"""What calls pass on: which parameters of a caller, flags and SQL texts end up in which parameters of a callee."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from evenkeel.audit.model.effects import Effect
from evenkeel.audit.model.facts import Call, Function, Value
from evenkeel.audit.model.flags import flags_passed
from evenkeel.audit.model.sql import texts_passed

OUTER = 1_000  # numbers from here on are parameters of the function around: `lambda db: db.execute(statement)`
Pairs = tuple[tuple[int, int], ...]
Taints = dict[str, frozenset[int]]
NOTHING: tuple[Pairs, Pairs, tuple[tuple[int, str], ...], Pairs] = ((), (), (), ())


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of the whole project: function id -> parameter names without self; type name -> role."""

    parameters: Sequence[tuple[str, ...]]
    roles: dict[str, str]
    statements: Mapping[str, str] = field(default_factory=dict)  # that stand in files, by name
    parents: Mapping[int, int] = field(default_factory=dict)  # function inside a function -> the one around it


class Scene(NamedTuple):
    """The function whose calls are looked at. `taints`: name -> parameters whose value it carries; `seen`: with those of the
    function around it; `texts`: names that are given a string literal."""

    id: int
    function: Function
    taints: Taints
    seen: Taints
    texts: frozenset[str]


def scene_of(function_id: int, function: Function, project: Known) -> Scene:
    """What has to be known of a function to tell what its calls pass on."""
    taints = _taints(function, project.parameters[function_id])
    texts = frozenset(t for each in function.assignments if each.value.kind == "string" for t in each.targets)
    return Scene(function_id, function, taints, {**_outer_names(function_id, function, project), **taints}, texts)


def passed_on(
    scene: Scene, call: Call, names: tuple[str, ...], statements: Mapping[str, str]
) -> tuple[Pairs, Pairs, tuple[tuple[int, str], ...], Pairs]:
    """What a call passes to a callee with these parameters: parameters of the caller as they are, flags, SQL texts, and what is
    made from one parameter of the caller."""
    if not call.arguments:
        return NOTHING
    texts: tuple[tuple[int, str], ...] = ()
    if _may_pass_text(scene, call, statements):
        texts = tuple(texts_passed(scene.function, call, names, statements).items())
    return _flows(call, names, scene.taints), flags_passed(call, names), texts, _made_from(call, scene.seen)


def _may_pass_text(scene: Scene, call: Call, statements: Mapping[str, str]) -> bool:
    for each in call.arguments:
        value = each.value
        if value.kind == "string" or (value.kind == "name" and value.text in scene.texts):
            return True
    return bool(statements) and any(each.value.text.endswith("[]") for each in call.arguments)


def _outer_names(function_id: int, function: Function, project: Known) -> Taints:
    """Parameters of the function around this one that it sees."""
    around = project.parents.get(function_id, -1)
    if around < 0 or not project.parameters[around]:
        return {}
    hidden = {each.name for each in function.parameters} | {t for each in function.assignments for t in each.targets}
    names = enumerate(project.parameters[around])
    return {name: frozenset({OUTER + number}) for number, name in names if name not in hidden}


def _taints(function: Function, parameters: tuple[str, ...]) -> Taints:
    """Local name -> parameters whose value it carries."""
    taints = {name: frozenset({index}) for index, name in enumerate(parameters)}
    for assignment in function.assignments if taints else ():
        carried = [taints[name] for name in assignment.value.names if name in taints]
        if carried:
            found = frozenset[int]().union(*carried)
            for target in assignment.targets:
                if target.isidentifier() and target not in parameters:
                    taints[target] = taints.get(target, frozenset()) | found
    return taints


def statement_given(scene: Scene, call: Call, effect: Effect) -> int:
    """The one parameter that an unknown statement comes from; -1 when the statement is known or made of several."""
    if effect.certain or not effect.kind.startswith("db-") or not call.arguments:
        return -1
    return _source(call.arguments[0].value, scene.seen)


def _source(value: Value, taints: Taints) -> int:
    """The one parameter that a value is made from, or -1."""
    found = [taints[each] for each in (*value.names, value.text) if each in taints]
    if not found:
        return -1
    sources = frozenset[int]().union(*found)
    return next(iter(sources)) if len(sources) == 1 else -1


def _made_from(call: Call, taints: Taints) -> Pairs:
    if not taints:
        return ()
    positional = (each.value for each in call.arguments if not each.keyword)
    return tuple((number, source) for number, each in enumerate(positional) if (source := _source(each, taints)) >= 0)


def _flows(call: Call, names: tuple[str, ...], taints: Taints) -> Pairs:
    found: list[tuple[int, int]] = []
    for position, argument in enumerate(call.arguments if taints else ()):
        if argument.keyword in {"*", "**"}:
            break
        index = names.index(argument.keyword) if argument.keyword in names else position
        if argument.value.kind == "name" and argument.value.text in taints:
            found.extend((index, parameter) for parameter in sorted(taints[argument.value.text]))
    return tuple(found)
