"""Copies: what becomes of a value inside one function, and whether a copy of it protects anybody.

A copy is needed as soon as it, or what hangs on it, is written to, handed out, kept, or passed to code that is not known to
only read; and as soon as the original may change while the copy is still in use. What this cannot follow counts as a need.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from evenkeel.audit.model.facts import Assignment, Return, Value, root_of
from evenkeel.audit.model.flow import LOOPS
from evenkeel.audit.model.index import FunctionInfo
from evenkeel.audit.model.view import CallView, FunctionView

READING_METHODS = frozenset(
    {
        "get", "items", "keys", "values", "index", "count", "startswith", "endswith", "strip", "lstrip", "rstrip",
        "lower", "upper", "title", "split", "rsplit", "splitlines", "join", "replace", "format", "encode", "decode",
        "isoformat", "strftime", "timestamp", "total_seconds", "find", "rfind", "isdigit", "isalpha", "union",
        "intersection", "difference", "symmetric_difference", "issubset", "issuperset", "isdisjoint", "hex",
        "model_dump", "model_dump_json", "copy", "most_common", "elements",
    }
)  # fmt: skip
READERS = frozenset(
    {
        "len", "str", "repr", "sum", "min", "max", "any", "all", "sorted", "isinstance", "print", "enumerate", "zip",
        "bool", "int", "float", "hash", "type", "range", "reversed", "format", "id", "list", "dict", "set", "tuple",
        "frozenset", "json.dumps", "orjson.dumps", "ujson.dumps", "msgpack.packb", "pprint.pformat", "pprint.pprint",
        "getattr", "hasattr", "map", "filter", "next", "iter", "abs", "round", "copy.copy", "copy.deepcopy",
    }
)  # fmt: skip
PLAIN_TYPES = frozenset({"str", "int", "float", "bool", "bytes", "None", "datetime.datetime", "uuid.UUID"})
PLAIN_READERS = frozenset(
    {"len", "sum", "str", "repr", "any", "all", "json.dumps", "hash", "isinstance", "bool", "int"}
)
READ_ONLY = re.compile(
    r"^(?:\w+\.)*(?:Sequence|Mapping|Iterable|Collection|Container|Set|AbstractSet)\["
)  # of `collections.abc` and `typing`
WORD = re.compile(r"[A-Za-z_]\w*")
DEEPEST = 2  # project functions that are looked into


@dataclass(frozen=True, slots=True)
class Uses:
    """What a function does with a set of names that stand for one value and its parts."""

    function: FunctionView
    names: frozenset[str]
    after: int  # positions up to here are not looked at
    plain: bool = False  # its elements are numbers and texts, which nobody can write into

    @property
    def only_reads(self) -> bool:
        """Whether nothing writes to the value, hands it out, keeps it, or passes it to code that may."""
        return not (self.is_handed_out or self.may_change())

    def may_change(self, depth: int = 0) -> bool:
        """Whether the value may be written to, here or by what it is passed to."""
        calls = (each for each in self.function.calls if each.fact.position > self.after)
        return self._written() or self._captured() or any(self.changes_by(call, depth) for call in calls)

    @property
    def last(self) -> int:
        """The position of the last use; of what a loop goes through, its end."""
        fact = self.function.fact
        found = [each.position for each in fact.reads if self._means(each.chain)]
        found += [each.fact.position for each in self.function.calls if self._touches_call(each)]
        found += [each.position for each in fact.assignments if self._mentions(each.value)]
        asking = (each for each in fact.blocks if each.subject is not None and self._mentions(each.subject))
        found += [each.end if each.kind in LOOPS else each.start for each in asking]
        return max(found, default=self.after)

    def _means(self, chain: str) -> bool:
        return root_of(chain) in self.names

    def _mentions(self, value: Value) -> bool:
        """Whether the value, or a part of it that could be written into, is in an expression."""
        chains = (*value.names, value.text) if value.kind == "name" else value.names
        return any(each in self.names if self.plain else self._means(each) for each in chains)

    def _touches_call(self, call: CallView) -> bool:
        return self._means(call.holder) or any(self._mentions(each.value) for each in call.fact.arguments)

    def writes(self, assignment: Assignment) -> bool:
        """Whether an assignment writes into the value; binding a name anew does not."""
        whole = assignment.operator in {"=", ":="}
        return any(self._means(each) for each in assignment.targets if not (whole and each.isidentifier()))

    def changes_by(self, call: CallView, depth: int = 0) -> bool:
        """Whether a call may write into the value: as a method of it, or because the value is passed to it."""
        if call.link.implicit:
            return False
        return (self._means(call.holder) and call.name not in READING_METHODS) or self._passes(call, depth)

    def _written(self) -> bool:
        later = (each for each in self.function.fact.assignments if each.position > self.after)
        return any(self.writes(each) for each in later)

    @property
    def is_handed_out(self) -> bool:
        """Whether it is returned, yielded, or kept in something else."""
        exits = (each for each in self.function.fact.exits if each.position > self.after)
        if any(self._mentions(each.value) and self._is_in_result(each) for each in exits):
            return True
        kept = (each for each in self.function.fact.assignments if each.position > self.after)
        return any(self._mentions(each.value) and not target.isidentifier() for each in kept for target in each.targets)

    def _is_in_result(self, leaving: Return) -> bool:
        """Whether what is returned can hold the value: not when it only goes into calls that give numbers or texts."""
        made = self.function.call(leaving.value.call) if leaving.value.kind == "call" else None
        if made is not None and (_is_plain_result(made) or (made.targets and not self._passes(made, 0))):
            return False
        text = leaving.value.text
        for call in self.function.calls:
            if call.line >= leaving.line and call.fact.position <= leaving.position and _is_plain_result(call):
                arguments = ", ".join(each.value.text for each in call.fact.arguments)
                text = text.replace(f"{call.fact.callee}({arguments})", "")
        return any(each in self.names for each in WORD.findall(text))

    def _captured(self) -> bool:
        """Whether a function inside this one uses a name."""
        own = self.function.number
        inner = [each.fact for each in self.function.nested if each.fact.parent == own]
        chains = [c.callee for f in inner for c in f.calls] + [r.chain for f in inner for r in f.reads]
        chains += [n for f in inner for c in f.calls for a in c.arguments for n in a.value.names]
        return any(self._means(chain) for chain in chains)

    def _passes(self, call: CallView, depth: int) -> bool:
        given = [i for i, each in enumerate(call.fact.arguments) if self._mentions(each.value)]
        if not given or call.library in READERS or call.has("log") or call.name in READING_METHODS:
            return False
        if not call.targets or depth >= DEEPEST:
            return True
        return any(self._changes_in(call, target, given, depth) for target in call.targets)

    def _changes_in(self, call: CallView, target: FunctionInfo, given: list[int], depth: int) -> bool:
        view = call.function.module.function(target)
        arguments = [call.fact.arguments[i] for i in given]
        passed = [n for n, each in call.passed_to(target).items() if each in arguments and n < len(target.parameters)]
        if view is None or len(passed) < len(arguments):
            return True
        names = {target.parameters[n] for n in passed}
        uses = uses_of(view, names, -1)
        return uses.is_handed_out or (not _promises_to_read(view, names) and uses.may_change(depth + 1))


def _promises_to_read(function: FunctionView, names: Iterable[str]) -> bool:
    """Whether parameters are declared as what cannot be written to: `Sequence`, `Mapping`."""
    annotated = {each.name: each.annotation for each in function.fact.parameters}
    return all(READ_ONLY.match(annotated.get(each, "")) for each in names)


def is_only_read(call: CallView, argument: int) -> bool:
    """Whether a call of the project's own functions does nothing with an argument but look at it."""
    return bool(call.targets) and not any(
        Uses(call.function, frozenset(), 0)._changes_in(call, target, [argument], 0) for target in call.targets
    )


def is_steady(function: FunctionView, chain: str, after: int, until: int) -> bool:
    """Whether a value stays as it is between two positions, as far as this function and its awaits can tell."""
    root = root_of(chain)
    uses = Uses(function, frozenset({root}), after)
    between = [each for each in function.calls if after < each.fact.position < until]
    if is_local(function, root):
        written = any(uses.writes(each) for each in function.fact.assignments if after < each.position <= until)
        return not written and not any(uses.changes_by(each) for each in between)
    quiet = all(each.library in READERS or each.has("log") or each.link.implicit for each in between)
    return quiet and not any(uses.writes(each) for each in function.fact.assignments if after < each.position <= until)


def is_local(function: FunctionView, root: str) -> bool:
    """Whether a name is a parameter or variable of the function, and not `self` or something that others share."""
    fact = function.fact
    if root in {"self", "cls"} or root in fact.globals:
        return False
    bound = any(root in each.targets for each in fact.assignments) or any(root in b.targets for b in fact.blocks)
    return bound or any(root == each.name for each in fact.parameters)


def _is_plain_result(call: CallView) -> bool:
    return call.link.result in PLAIN_TYPES or call.library in PLAIN_READERS


def _gives_plain(function: FunctionView, value: Value) -> bool:
    """Whether a value is a number or a text that a call makes: `last = str(message["role"])`."""
    made = function.call(value.call) if value.kind == "call" else None
    return made is not None and (_is_plain_result(made) or made.library in PLAIN_TYPES)


def has_plain_elements(type_text: str) -> bool:
    """Whether a container's type says that its elements are numbers and texts."""
    inside = type_text.partition("[")[2].rstrip("]")
    return bool(inside) and all(each.strip() in PLAIN_TYPES for each in inside.split(","))


def uses_of(function: FunctionView, names: Iterable[str], after: int, *, plain: bool = False) -> Uses:
    """The uses of a value by its names, and by the names of its parts: what is read from it, what loops over it bind.

    `plain`: its elements are numbers and texts, so only the container itself matters."""
    known = set(names)
    if plain:
        return Uses(function, frozenset(known), after, plain)
    size = -1
    while len(known) != size:
        size = len(known)
        current = Uses(function, frozenset(known), after)
        for each in function.fact.assignments:
            if each.position > after and current._mentions(each.value) and not _gives_plain(function, each.value):
                known.update(target for target in each.targets if target.isidentifier())
        for block in function.fact.blocks:
            if block.start > after and block.subject is not None and current._mentions(block.subject):
                known.update(target for target in block.targets if target.isidentifier())
    return Uses(function, frozenset(known), after)
