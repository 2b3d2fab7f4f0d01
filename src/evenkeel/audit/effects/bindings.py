"""Bindings: what a parameter, an assignment, a loop or a `with` gives the name it binds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from evenkeel.audit.effects.scopes import Binding
from evenkeel.audit.effects.types import NONE, UNKNOWN, Type, class_object, element_of, value_of
from evenkeel.audit.model.facts import END, Assignment, Block, Function, Parameter, Value

if TYPE_CHECKING:
    from evenkeel.audit.effects.resolve import Resolver

MAX_DEPTH = 24  # of nested questions; deeper code is not understood, and not worth more time


def _is_bound_by_decorator(function: Function) -> bool:
    """`@app.task(bind=True)`: the first parameter is what the decorator makes of the function."""
    return any(a.keyword == "bind" and a.value.text == "True" for d in function.decorators for a in d.arguments)


class Bindings:
    """Types of bindings, asked of one resolver."""

    def __init__(self, resolver: Resolver) -> None:
        self._resolver = resolver

    def bound(self, function_id: int, bindings: Sequence[Binding], position: int) -> Type:
        if not bindings:
            return UNKNOWN
        if len(bindings) == 1:
            found = self.guarded(function_id, bindings[0])
            return found if found.name and found != NONE else UNKNOWN
        earlier = [each for each in bindings if each.position < position] or bindings
        latest = earlier[-1]
        is_loop = latest.kind == "loop" and isinstance(latest.payload, Block) and latest.payload.kind == "for"
        for binding in reversed(earlier[-4:]):
            found = self.guarded(function_id, binding)
            if is_loop and binding is not latest and self._resolver.library.type_spec(found.name).role == "query":
                continue  # had the name before; a loop over many queries is rare
            if found.name and found != NONE:
                return found
        return UNKNOWN

    def guarded(self, function_id: int, binding: Binding) -> Type:
        if self._resolver.nesting > MAX_DEPTH:
            return self._resolver.cut()
        self._resolver.nesting += 1
        try:
            return self._binding_type(function_id, binding)
        finally:
            self._resolver.nesting -= 1

    def _binding_type(self, function_id: int, binding: Binding) -> Type:
        payload = binding.payload
        if isinstance(payload, Parameter):
            return self.parameter_type(function_id, payload, binding.item)
        if isinstance(payload, Assignment):
            return self.assignment_type(function_id, payload, binding.item)
        if isinstance(payload, Block):
            return self._block_target(function_id, payload, binding)
        return Type(f"def:{payload}") if isinstance(payload, int) else self._resolver.dotted(payload)

    def _block_target(self, function_id: int, block: Block, binding: Binding) -> Type:
        if block.subject is None:
            return UNKNOWN
        subject = self._resolver.value(function_id, block.subject, block.start)
        if binding.kind == "with":
            return self._resolver.entered(subject)
        if len(block.targets) == 1:
            return self._resolver.iterated(subject)
        return self._unpacked_element(function_id, block, binding.item)

    def _unpacked_element(self, function_id: int, block: Block, item: int) -> Type:
        """`for i, x in enumerate(xs)`, `for k, v in d.items()`, `for a, b in zip(xs, ys)`."""
        subject = block.subject
        if subject is None or subject.kind != "call":
            return UNKNOWN
        call = self._resolver.symbols.function(function_id).calls[subject.call]
        short = call.callee.rpartition(".")[2]
        if short == "items":
            holder = self._resolver.chain(function_id, call.callee.rpartition(".")[0], call.receiver, call.position)
            return value_of(holder) if item == 1 else element_of(holder)
        if short == "enumerate" and item == 1 and call.arguments:
            return self._resolver.iterated(self._resolver.value(function_id, call.arguments[0].value, call.position))
        if short == "zip" and item < len(call.arguments):
            return self._resolver.iterated(self._resolver.value(function_id, call.arguments[item].value, call.position))
        element = self._resolver.iterated(self._resolver.call(function_id, subject.call)[1])
        return (
            element.args[item]
            if element.name.rpartition(".")[2].lower() == "tuple" and item < len(element.args)
            else UNKNOWN
        )

    def parameter_type(self, function_id: int, parameter: Parameter, index: int) -> Type:
        """A parameter's type: `self`, its annotation, an injected dependency, or its default's type."""
        function = self._resolver.symbols.function(function_id)
        if index == 0 and function.owner >= 0 and not any(d.chain == "staticmethod" for d in function.decorators):
            owner = self._resolver.owner(function_id)
            if owner is not None:
                instance = Type(owner.name, tuple(Type(f"var:{v}") for v in self._resolver.type_parameters(owner.name)))
                makes_class = any(d.chain == "classmethod" for d in function.decorators) or function.name == "__new__"
                return class_object(instance) if makes_class else instance
        if index == 0 and not parameter.annotation and _is_bound_by_decorator(function):
            return self._resolver.decorated(function_id)
        if parameter.annotation:
            found = self._resolver.annotations.declared(
                function_id, parameter.annotation, lambda: self._default_type(function_id, parameter.default)
            )
        else:
            found = self._default_type(function_id, parameter.default)
        return found if found.name else self._resolver.given.get((function_id, index), UNKNOWN)

    def _default_type(self, function_id: int, default: Value | None) -> Type:
        if default is not None and default.kind == "name":
            found = self._resolver.value(self._resolver.enclosing(function_id), default, END)
            return found if ":" not in found.name else UNKNOWN
        if default is None or default.kind != "call":
            return UNKNOWN
        call = self._resolver.symbols.function(function_id).calls[default.call] if default.call >= 0 else None
        if call is not None and call.arguments:
            given = call.arguments[0].value
            scope = function_id if given.kind == "call" else self._resolver.enclosing(function_id)
            return self.injected(self._resolver.value(scope, given, END))
        return UNKNOWN

    def injected(self, dependency: Type) -> Type:
        """What a dependency provides: a function's result (a generator's element), or an instance of a class."""
        if dependency.name == "type":
            return dependency.args[0]
        if dependency.name.startswith("def:"):
            function_id = int(dependency.name[4:])
            result = self._resolver.returned(function_id, dependency.args)
            if self._resolver.symbols.function(function_id).is_generator:
                return element_of(result) if element_of(result).name else result
            return result
        return self._call_instance(dependency)

    def _call_instance(self, instance: Type) -> Type:
        method = self._resolver.member(instance, "__call__")
        return self.injected(method) if method.name.startswith("def:") else UNKNOWN

    def assignment_type(self, function_id: int, assignment: Assignment, item: int) -> Type:
        """What an assignment binds its target number `item` to."""
        position = assignment.position
        if assignment.annotation:
            value = self._resolver.annotations.declared(
                function_id,
                assignment.annotation,
                lambda: self._resolver.value(function_id, assignment.value, position),
            )
        else:
            value = self._resolver.value(function_id, assignment.value, position)
        if not assignment.unpacked:
            return value
        gathered = self._gathered(function_id, assignment, item)
        if gathered.name:
            return gathered
        if value.name.rpartition(".")[2].lower() == "tuple":
            if len(value.args) == 2 and value.args[1].name == "...":
                return value.args[0]
            return value.args[item] if item < len(value.args) else UNKNOWN
        return UNKNOWN

    def _gathered(self, function_id: int, assignment: Assignment, item: int) -> Type:
        """`a, b = await asyncio.gather(f(), g())`."""
        if assignment.value.kind != "call":
            return UNKNOWN
        call = self._resolver.symbols.function(function_id).calls[assignment.value.call]
        if call.callee.rpartition(".")[2] == "gather" and item < len(call.arguments):
            return self._resolver.value(function_id, call.arguments[item].value, call.position)
        return UNKNOWN
