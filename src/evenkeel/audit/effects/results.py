"""Results: what a call calls, and the type of what it gives."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evenkeel.audit.effects.bindings import MAX_DEPTH
from evenkeel.audit.effects.expressions import Arguments
from evenkeel.audit.effects.generics import bind, gives_own_kind, has_variables, replaced
from evenkeel.audit.effects.latest import Remembered, answers, latest_answers
from evenkeel.audit.effects.symbols import REMEMBERED_FUNCTIONS, ClassSymbol
from evenkeel.audit.effects.types import MANAGER, PENDING, UNKNOWN, Type, element_of, first_known
from evenkeel.audit.model.facts import Call, Function, Value, root_of

if TYPE_CHECKING:
    from evenkeel.audit.effects.resolve import Resolver

# What a call calls, the type of what that gives, and whether that is known to be the same everywhere in the file, or in the
# function where what is called begins with a name of the function's.
Resolved = tuple[Type, Type, bool]
Answers = dict[int, Resolved]  # by number of the call
Place = tuple[int, str, bool]  # file, or -1 - function id; what is called there, and whether that is awaited

REMEMBERED_CALLS = 16_384
BEING_ASKED: Resolved = (PENDING, PENDING, False)
GENERATOR_MANAGERS = frozenset({"contextlib.contextmanager", "contextlib.asynccontextmanager"})


class Results:
    """Calls and returns, asked of one resolver; remembered."""

    def __init__(self, resolver: Resolver) -> None:
        self._resolver = resolver
        symbols = resolver.symbols
        self._calls: Remembered[int, Answers] = latest_answers(REMEMBERED_FUNCTIONS, held=symbols.held)
        self._everywhere: dict[Place, Resolved] = answers(REMEMBERED_CALLS, held=symbols.held)
        self._returns: dict[int, Type] = {}
        self._fixed: dict[Type, Type | None] = answers(REMEMBERED_CALLS, held=symbols.held)
        self._doubtful: list[tuple[Answers, int]] = []

    def forget(self) -> None:
        """Drop what was answered before callers were asked what they pass."""
        self._calls.clear()
        self._returns.clear()
        self._fixed.clear()
        self._resolver.kept.forget()

    def forget_names(self) -> None:
        """Drop what names mean everywhere: more is known of parameters or relationships."""
        self._everywhere.clear()
        self._fixed.clear()

    def call(self, function_id: int, index: int) -> Resolved:
        """What call number `index` of a function calls, and the type of its result."""
        calls = self._of(function_id)
        known = calls.get(index)
        if known is None:
            call = self._resolver.symbols.function(function_id).calls[index]
            root = root_of(call.callee)
            steady = root not in self._resolver.local_names(function_id)
            return self._ask(calls, function_id, index, call, root if not steady else "")
        if known is BEING_ASKED:
            self._resolver.cuts += 1
        return known

    def call_at(self, function_id: int, index: int, call: Call, local: str) -> Resolved:
        """`call`, for who has the call at hand. `local`: the name that it begins with, where the function or one around it
        binds that; "" where that means the same in the whole file."""
        calls = self._of(function_id)
        return calls.get(index) or self._ask(calls, function_id, index, call, local)

    def _of(self, function_id: int) -> Answers:
        calls = self._calls.get(function_id)
        if calls is None:
            calls = self._calls[function_id] = {}
        return calls

    def _ask(self, calls: Answers, function_id: int, index: int, call: Call, local: str) -> Resolved:
        resolver = self._resolver
        place: Place | None = None
        if call.receiver < 0 and not call.keys:
            where = -1 - function_id if local else resolver.symbols.places[function_id].file
            place = (where, call.callee, call.awaited)
            found = self._everywhere.get(place)
            if found is not None:
                calls[index] = found
                return found
        cuts = resolver.cuts
        calls[index] = BEING_ASKED
        known = calls[index] = self._resolve_call(function_id, call)
        if cuts != resolver.cuts:
            known = calls[index] = (known[0], known[1], False)
            self._doubtful.append((calls, index))
        elif known[2]:
            if place is not None and (not local or resolver.is_fixed(function_id, local)):
                self._everywhere[place] = known
            else:
                known = calls[index] = (known[0], known[1], False)
        if self._doubtful and not resolver.nesting:
            self._doubt()
        return known

    def fixed_result(self, callee: Type) -> Type | None:
        """What all calls of this give; None where that hangs on what they are given."""
        known = self._fixed.get(callee, PENDING)
        if known is PENDING:
            cuts = self._resolver.cuts
            known = self._find_fixed(callee)
            if cuts == self._resolver.cuts:
                self._fixed[callee] = known
        return known

    def _find_fixed(self, callee: Type) -> Type | None:
        kind, _, rest = callee.name.partition(":")
        if kind in {"lib", "bound"}:
            return self._resolver.library.known_result(rest, callee.args)
        if kind == "def":
            found = self.returned(int(rest), callee.args)
            return None if has_variables(found) else found
        return self.result_of(callee) if kind in {"", "type", "module"} else None

    def _doubt(self) -> None:
        """Once the outermost question is answered, forget what was answered inside a circle: asked anew, more is known."""
        for calls, index in self._doubtful:
            calls.pop(index, None)
        self._doubtful.clear()

    def _resolve_call(self, function_id: int, call: Call) -> Resolved:
        if call.callee == "super":
            owner = self._method_owner(function_id)
            return UNKNOWN, Type("super", (Type(owner.name),)) if owner else UNKNOWN, False
        callee = self._resolver.chain(function_id, call.callee, call.receiver, call.position, call.keys)
        if not callee.name and "." in call.callee:
            callee = self.conventional(call)
        fixed = self.fixed_result(callee)
        result = fixed if fixed is not None else self.result_of(callee, function_id, call)
        if call.awaited and self.gives_awaitable(callee):
            result = self._resolver.library.awaited(result)
        return callee, result, fixed is not None

    def gives_awaitable(self, callee: Type) -> bool:
        """Whether `await` is asked of what the call gives, not of a coroutine function, whose result is not awaited."""
        kind, _, rest = callee.name.partition(":")
        return kind in {"lib", "bound", "type"} or (
            kind == "def" and not self._resolver.symbols.function(int(rest)).is_async
        )

    def _method_owner(self, function_id: int) -> ClassSymbol | None:
        place = self._resolver.symbols.places[function_id]
        first = self._resolver.symbols.first_id[place.file]
        while place.index > 0:
            owner = self._resolver.owner(function_id)
            if owner is not None:
                return owner
            function_id = first + max(self._resolver.symbols.function(function_id).parent, 0)
            place = self._resolver.symbols.places[function_id]
        return None

    def conventional(self, call: Call) -> Type:
        """A receiver that nothing types is taken for what its name stands for, where the project uses that library."""
        holder, _, method = call.callee.rpartition(".")
        name = holder.rpartition(".")[2].partition("[")[0]
        if name.startswith("<"):
            return UNKNOWN
        found = self._resolver.library.conventional(name, method, self._resolver.symbols.imported, awaited=call.awaited)
        return Type(f"bound:{found}.{method}", (Type(found), Type("?"))) if found else UNKNOWN

    def result_of(self, callee: Type, function_id: int = -1, call: Call | None = None) -> Type:
        """The type of the result of calling `callee`."""
        if callee.name == "type":
            return self._constructed(callee.args[0]) if callee.args else UNKNOWN
        if callee.name == "union":
            return first_known(tuple(self.result_of(each, function_id, call) for each in callee.args))
        if callee.name == "offloaded":
            return self.result_of(callee.args[0])
        kind, _, rest = callee.name.partition(":")
        if kind == "def":
            found = self.returned(int(rest), callee.args)
            return self._with_arguments(int(rest), found, function_id, call)
        if kind in {"lib", "bound"}:
            return self._library_result(rest, callee.args, function_id, call)
        if kind in {"module", "var", ""}:
            return UNKNOWN
        return self._called_instance(callee, function_id, call)

    def _constructed(self, of: Type) -> Type:
        parameters = self._resolver.type_parameters(of.name)
        if parameters and not of.args:
            return Type(of.name)
        return of

    def _called_instance(self, instance: Type, function_id: int, call: Call | None) -> Type:
        method = self._resolver.member(instance, "__call__")
        return self.result_of(method, function_id, call) if method.name else UNKNOWN

    def _library_result(self, name: str, bound_to: tuple[Type, ...], function_id: int, call: Call | None) -> Type:
        known = self._resolver.library.known_result(name, bound_to)
        if known is not None:
            return known
        if call is None:
            return self._resolver.library.result(name, bound_to, None)
        spec = self._resolver.library.call(name)
        wrapped = self._resolver.library.argument(call, spec.wraps, spec) if spec.wraps >= 0 else None
        if wrapped is not None:
            return Type("offloaded", (self._resolver.value(function_id, wrapped, call.position),))

        def type_of(value: Value) -> Type:
            return self._resolver.value(function_id, value, call.position)

        arguments = Arguments(
            call,
            type_of,
            lambda value: self.result_of(type_of(value)),
            lambda value: self._resolver.iterated(type_of(value)),
        )
        return self._resolver.library.result(name, bound_to, arguments)

    def returned(self, function_id: int, bound_to: tuple[Type, ...] = ()) -> Type:
        """What calling a project function gives, generators and context managers included."""
        known = self._returns.get(function_id)
        if known is None:
            if self._resolver.nesting > MAX_DEPTH:
                return self._resolver.cut()
            self._returns[function_id] = PENDING  # recursion ends here
            self._resolver.nesting += 1
            try:
                known = self._returns[function_id] = self._read_return(function_id)
            finally:
                self._resolver.nesting -= 1
        elif known is PENDING:
            known = self._resolver.cut()
        if bound_to:
            known = self._as_seen_by(known, function_id, bound_to[0])
        return known

    def _as_seen_by(self, result: Type, function_id: int, receiver: Type) -> Type:
        if receiver.name == "type":
            receiver = receiver.args[0]
        if result.name == "self":
            return receiver
        owner = self._resolver.owner(function_id)
        if owner is None or not result.name:
            return result
        base = next((each for each in self._resolver.lineage(receiver) if each.name == owner.name), None)
        mapping = self._resolver.bindings_of(base) if base is not None else {}
        mapping["Self"] = receiver
        function = self._resolver.symbols.function(function_id)
        if base is not None and function.parameters and function.parameters[0].annotation:
            declared = self._resolver.annotations.resolve(function_id, function.parameters[0].annotation)
            bind(declared.args[0] if declared.name == "type" else declared, receiver, mapping)
        if base is not None and base.name != receiver.name and gives_own_kind(function):
            result = replaced(result, owner.name, receiver)
        return self._resolver.substitute(result, mapping)

    def _read_return(self, function_id: int) -> Type:
        function = self._resolver.symbols.function(function_id)
        manager = any(
            self._resolver.decorator(function_id, each.chain) in GENERATOR_MANAGERS for each in function.decorators
        )
        found = self._resolver.annotations.declared(
            function_id, function.returns, lambda: self._inferred_return(function_id, function)
        )
        if manager:
            return Type(MANAGER, (element_of(found) if element_of(found).name else found,))
        return found

    def _inferred_return(self, function_id: int, function: Function) -> Type:
        wanted = {"yield"} if function.is_generator else {"return"}
        values = [each for each in function.exits if each.kind in wanted][:6]
        found = first_known(tuple(self._resolver.value(function_id, each.value, each.position) for each in values))
        if function.is_generator and found.name:
            return Type("Iterator", (found,))
        return found

    def _with_arguments(self, target: int, result: Type, function_id: int, call: Call | None) -> Type:
        """Bind a function's own type variables from the arguments: `get(model: type[T]) -> T`."""
        if call is None or not has_variables(result):
            return result
        mapping: dict[str, Type] = {}
        parameters = [
            each for each in self._resolver.symbols.function(target).parameters if each.name not in {"self", "cls"}
        ]
        for position, argument in enumerate(call.arguments):
            if argument.keyword in {"*", "**"}:
                break
            named = [each for each in parameters if each.name == argument.keyword]
            parameter = named[0] if named else parameters[position] if position < len(parameters) else None
            if parameter is not None and parameter.annotation:
                declared = self._resolver.annotations.resolve(target, parameter.annotation)
                bind(declared, self._resolver.value(function_id, argument.value, call.position), mapping)
        return self._resolver.substitute(result, mapping)
