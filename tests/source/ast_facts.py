"""The facts of a Python file as CPython's own `ast` tells them: written apart from the reader, to check it against.

One row a fact, as plain tuples. A block is named by the kinds of blocks around it, `body/for/with`, so that rows can be
compared without numbers; positions are byte offsets.
"""

# ruff: noqa: N815 - methods are called after the classes of `ast`
from __future__ import annotations

import ast
from dataclasses import dataclass, field
from typing import Any

Row = tuple[object, ...]
OPERATORS = "Add + Sub - Mult * Div / FloorDiv // Mod % Pow ** LShift << RShift >> BitOr | BitAnd & BitXor ^ MatMult @"
SIGNS = dict(zip(OPERATORS.split()[::2], OPERATORS.split()[1::2], strict=True))
LEAVING = (ast.Return, ast.Raise, ast.Continue, ast.Break)
KINDS: dict[type[ast.expr], str] = {
    ast.Name: "name", ast.Attribute: "name", ast.Subscript: "element", ast.Call: "call", ast.JoinedStr: "string",
    ast.List: "list", ast.Dict: "dict", ast.Set: "set", ast.Tuple: "tuple", ast.Lambda: "lambda", ast.IfExp: "either",
    ast.ListComp: "comprehension", ast.SetComp: "comprehension", ast.DictComp: "comprehension",
    ast.GeneratorExp: "comprehension",
}  # fmt: skip
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


@dataclass
class Rows:
    """Every fact of a file, by kind."""

    functions: list[Row] = field(default_factory=list)
    classes: list[Row] = field(default_factory=list)
    calls: list[Row] = field(default_factory=list)
    assignments: list[Row] = field(default_factory=list)
    reads: set[Row] = field(default_factory=set)
    exits: list[Row] = field(default_factory=list)
    blocks: list[Row] = field(default_factory=list)
    decorators: list[Row] = field(default_factory=list)
    imports: list[Row] = field(default_factory=list)
    links: list[Row] = field(
        default_factory=list
    )  # call, the call in whose arguments it stands, the call it is made on


@dataclass
class Place:
    """Where a node stands."""

    function: str  # qualified name
    prefix: str  # of what is defined here
    block: str = "body"
    attribute: bool = False  # in a class body
    kept: bool = True  # False inside decorators, whose calls are not recorded
    yields: list[bool] = field(default_factory=lambda: [False])


class Reader:
    """Reads one file."""

    def __init__(self, source: bytes) -> None:
        self.source = source
        self.rows = Rows()
        self.starts = [0]
        for line in source.splitlines(keepends=True):
            self.starts.append(self.starts[-1] + len(line))
        self.in_strings: set[Row] = set()  # calls inside f-strings
        self.string_depth = 0
        self.parent: int | None = None  # end of the call whose arguments are being read
        self.awaited: set[int] = set()
        self.discarded: set[int] = set()
        place = Place("<module>", "")
        self.statements(ast.parse(source).body, place)
        self.rows.functions.append(("<module>", 1, False, place.yields[0], ()))

    def end(self, node: ast.AST) -> int:
        assert isinstance(node, ast.expr | ast.stmt | ast.ExceptHandler)
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        return self.starts[node.end_lineno - 1] + node.end_col_offset

    def is_elif(self, node: ast.stmt) -> bool:
        start = self.starts[node.lineno - 1] + node.col_offset
        return self.source[start : start + 4] == b"elif"

    # statements

    def statements(self, body: list[ast.stmt], place: Place) -> None:
        for each in body:
            getattr(self, f"on_{type(each).__name__}", self.plain)(each, place)

    def block(self, kind: str, body: list[ast.stmt], place: Place, line: int, **details: object) -> None:
        inner = self.within(place, kind)
        row = (place.function, inner.block, line, bool(details.get("is_async")), details.get("targets", ()))
        self.rows.blocks.append((*row, isinstance(body[-1], LEAVING)))
        self.statements(body, inner)

    def within(self, place: Place, kind: str) -> Place:
        block = f"{place.block}/{kind}"
        return Place(place.function, place.prefix, block, place.attribute, place.kept, place.yields)

    def plain(self, node: ast.AST, place: Place) -> None:
        for child in ast.iter_child_nodes(node):
            self.expression(child, place)

    def on_Expr(self, node: ast.Expr, place: Place) -> None:
        value = node.value.value if isinstance(node.value, ast.Await) else node.value
        if isinstance(value, ast.NamedExpr):
            value = value.value
        if isinstance(value, ast.Call):
            self.discarded.add(id(value))
        self.expression(node.value, place)

    def on_If(self, node: ast.If, place: Place) -> None:
        self.expression(node.test, place)
        self.block("if", node.body, place, node.lineno)
        while len(node.orelse) == 1 and isinstance(node.orelse[0], ast.If) and self.is_elif(node.orelse[0]):
            node = node.orelse[0]
            self.expression(node.test, place)
            self.block("else", node.body, place, node.lineno)
        self.otherwise(node.orelse, place)

    def otherwise(self, body: list[ast.stmt], place: Place) -> None:
        if body:
            self.block("else", body, place, 0)

    def on_For(self, node: ast.For | ast.AsyncFor, place: Place) -> None:
        targets = self.targets(node.target, place)
        self.expression(node.iter, place)
        is_async = isinstance(node, ast.AsyncFor)
        self.block("for", node.body, place, node.lineno, targets=targets, is_async=is_async)
        self.otherwise(node.orelse, place)

    on_AsyncFor = on_For

    def on_While(self, node: ast.While, place: Place) -> None:
        self.expression(node.test, self.within(place, "while"))
        self.block("while", node.body, place, node.lineno)
        self.otherwise(node.orelse, place)

    def on_With(self, node: ast.With | ast.AsyncWith, place: Place) -> None:
        leaves = isinstance(node.body[-1], LEAVING)
        for item in node.items:
            self.expression(item.context_expr, place)
            targets = self.targets(item.optional_vars, place) if item.optional_vars else ()
            outer, place = place, self.within(place, "with")
            is_async = isinstance(node, ast.AsyncWith)
            self.rows.blocks.append((outer.function, place.block, 0, is_async, targets, leaves))
        self.statements(node.body, place)

    on_AsyncWith = on_With

    def on_Try(self, node: ast.Try | ast.TryStar, place: Place) -> None:
        self.block("try", node.body, place, node.lineno)
        for each in node.handlers:
            if each.type is not None:
                self.expression(each.type, place)
            self.block("except", each.body, place, each.lineno, targets=(each.name,) if each.name else ())
        self.otherwise(node.orelse, place)
        if node.finalbody:
            self.block("finally", node.finalbody, place, 0)

    on_TryStar = on_Try

    def on_Match(self, node: ast.Match, place: Place) -> None:
        self.expression(node.subject, place)
        inner = self.within(place, "match")
        self.rows.blocks.append((place.function, inner.block, node.lineno, False, (), False))
        for case in node.cases:
            if case.guard is not None:
                self.expression(case.guard, self.within(inner, "case"))
            captured = (getattr(each, "name", None) or getattr(each, "rest", None) for each in ast.walk(case.pattern))
            names = tuple(sorted(each for each in captured if each))
            self.block("case", case.body, inner, self.case_line(case.pattern), targets=names)

    def case_line(self, pattern: ast.pattern) -> int:
        """Of the word `case`, which `ast` has no node for; the pattern may start further down, after a parenthesis."""
        line = pattern.lineno
        while not self.source[self.starts[line - 1] :].lstrip().startswith(b"case"):
            line -= 1
        return line

    def on_Assign(self, node: ast.Assign, place: Place) -> None:
        left = node.targets[0]
        if len(node.targets) == 1 and self.is_paired(left, node.value):
            assert isinstance(left, ast.Tuple | ast.List)
            assert isinstance(node.value, ast.Tuple | ast.List)
            for target, value in zip(left.elts, node.value.elts, strict=True):
                self.assignment(node, ([target], value), "=", place)
        else:
            self.assignment(node, (node.targets, node.value), "=", place)

    def is_paired(self, left: ast.expr, right: ast.expr) -> bool:
        if not isinstance(left, ast.Tuple | ast.List) or not isinstance(right, ast.Tuple | ast.List):
            return False
        both = [*left.elts, *right.elts]
        return len(left.elts) == len(right.elts) and not any(isinstance(each, ast.Starred) for each in both)

    def assignment(
        self, node: ast.stmt, sides: tuple[list[ast.expr], ast.expr | None], operator: str, place: Place
    ) -> None:
        lefts, right = sides
        targets = tuple(name for each in lefts for name in self.targets(each, place))
        if right is not None:
            self.expression(right, place)
        annotated = isinstance(node, ast.AnnAssign)
        unpacked = any(isinstance(each, ast.Tuple | ast.List) for each in lefts) and operator != "del"
        row = (place.function, node.lineno, self.end(node), place.block, targets, operator, annotated, unpacked)
        self.rows.assignments.append((*row, place.attribute, self.kind(right)))

    def on_AnnAssign(self, node: ast.AnnAssign, place: Place) -> None:
        self.assignment(node, ([node.target], node.value), "=", place)

    def on_TypeAlias(self, node: Any, place: Place) -> None:
        """`type A = B` of Python 3.12: to the reader a name is given a value, in which, as in an annotation, nothing is read."""
        row = (place.function, node.lineno, self.end(node), place.block, (node.name.id,), "=", False, False)
        self.rows.assignments.append((*row, place.attribute, self.kind(node.value)))

    def on_AugAssign(self, node: ast.AugAssign, place: Place) -> None:
        self.assignment(node, ([node.target], node.value), f"{SIGNS[type(node.op).__name__]}=", place)

    def on_Delete(self, node: ast.Delete, place: Place) -> None:
        self.assignment(node, (node.targets, None), "del", place)

    def on_Return(self, node: ast.Return | ast.Raise, place: Place) -> None:
        self.plain(node, place)
        kind = "raise" if isinstance(node, ast.Raise) else "return"
        self.rows.exits.append((place.function, node.lineno, self.end(node), place.block, kind))

    on_Raise = on_Return

    def on_Import(self, node: ast.Import, place: Place) -> None:
        for each in node.names:
            top = each.name.partition(".")[0]
            bound, target = (each.asname, each.name) if each.asname else (top, top)
            self.rows.imports.append((place.function, bound, target))

    def on_ImportFrom(self, node: ast.ImportFrom, place: Place) -> None:
        package = ["package", "inner"][: 2 - (node.level - 1)] if node.level else []
        module = ".".join([*package, *([node.module] if node.module else [])])
        for each in node.names:
            target = module if each.name == "*" else f"{module}.{each.name}"
            self.rows.imports.append((place.function, each.asname or each.name, target))

    def on_Global(self, node: ast.AST, place: Place) -> None:
        """Names only."""

    on_Nonlocal = on_Global

    def on_ClassDef(self, node: ast.ClassDef, place: Place) -> None:
        qualname = place.prefix + node.name
        self.decorated(node, qualname, place)
        for each in [*node.bases, *(keyword.value for keyword in node.keywords)]:
            self.expression(each, place)
        names = tuple(keyword.arg or "**" for keyword in node.keywords)
        generic = bool(getattr(node, "type_params", ()))  # Python 3.12; a base to the reader
        self.rows.classes.append((qualname, node.lineno, place.function, len(node.bases) + generic, names))
        inner = Place(place.function, f"{qualname}.", place.block, True, place.kept, place.yields)
        self.statements(node.body, inner)

    def on_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef, place: Place) -> None:
        qualname = place.prefix + node.name
        self.decorated(node, qualname, place)
        inner = Place(qualname, f"{qualname}.<locals>.")
        parameters = self.parameters(node.args, inner)
        self.rows.blocks.append((qualname, "body", node.lineno, False, (), isinstance(node.body[-1], LEAVING)))
        self.statements(node.body, inner)
        is_async = isinstance(node, ast.AsyncFunctionDef)
        self.rows.functions.append((qualname, node.lineno, is_async, inner.yields[0], parameters))

    on_AsyncFunctionDef = on_FunctionDef

    def decorated(self, node: ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef, name: str, place: Place) -> None:
        for each in node.decorator_list:
            called = isinstance(each, ast.Call)
            chain = self.chain(each.func if isinstance(each, ast.Call) else each)
            self.rows.decorators.append((name, each.lineno, chain, called))
            apart = Place(place.function, place.prefix, place.block, place.attribute, False, [False])
            self.expression(each, apart)

    def parameters(self, given: ast.arguments, place: Place) -> tuple[tuple[str, str], ...]:
        positional = [(each.arg, "positional") for each in [*given.posonlyargs, *given.args]]
        star = [(given.vararg.arg, "*")] if given.vararg else []
        keyword = [(each.arg, "keyword") for each in given.kwonlyargs]
        double = [(given.kwarg.arg, "**")] if given.kwarg else []
        for each in [*given.defaults, *(value for value in given.kw_defaults if value is not None)]:
            self.expression(each, place)
        return (*positional, *star, *keyword, *double)

    # expressions

    def targets(self, node: ast.expr, place: Place) -> tuple[str, ...]:
        if isinstance(node, ast.Tuple | ast.List):
            return tuple(name for each in node.elts for name in self.targets(each, place))
        if isinstance(node, ast.Starred):
            return self.targets(node.value, place)
        if isinstance(node, ast.Subscript):
            self.holder(node.value, place)
            self.expression(node.slice, place)
        elif isinstance(node, ast.Attribute):
            self.holder(node.value, place)
        return (self.chain(node),)

    def chain(self, node: ast.expr) -> str:
        if isinstance(node, ast.Name):
            return node.id
        if isinstance(node, ast.Attribute):
            return f"{self.chain(self.branch(node.value))}.{node.attr}"
        if isinstance(node, ast.Subscript):
            return f"{self.chain(self.branch(node.value))}[]"
        if isinstance(node, ast.Call):
            return "<call>"
        if isinstance(node, ast.Await):
            return "<call>" if self.chain(node.value) == "<call>" else "<expr>"
        if isinstance(node, ast.NamedExpr):
            return self.chain(node.value)
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
            divided = self.chain(self.branch(node.left))
            return "<expr>" if divided in {"<expr>", "<str>"} else f"{divided.removesuffix('./')}./"
        if isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str | bytes)):
            return "<str>"
        return "<expr>"

    def branch(self, node: ast.expr) -> ast.expr:
        """Where a chain starts from `(a or b)`: the branch that the front end follows; the node itself for all else."""
        if not isinstance(node, ast.BoolOp | ast.IfExp):
            return node
        branches = [node.body, node.orelse] if isinstance(node, ast.IfExp) else node.values[::-1]
        settled = [self.branch(each) for each in branches]
        return next((each for each in settled if self.leads(each)), node)

    def leads(self, node: ast.expr) -> bool:
        """Whether a branch is a call or a name, so that a chain can start from it."""
        called = node.value if isinstance(node, ast.Await) else node
        if self.kind(called) == "call":
            return True
        return self.kind(node) == "name" and not isinstance(node, ast.Await)

    def receiver(self, node: ast.expr) -> int | None:
        """The end of the call that a chain starts from."""
        while isinstance(node, ast.Attribute | ast.Subscript | ast.Await | ast.NamedExpr | ast.BinOp):
            if isinstance(node, ast.BinOp) and not isinstance(node.op, ast.Div):
                return None
            node = self.branch(node.left if isinstance(node, ast.BinOp) else node.value)
        return self.end(node) if isinstance(node, ast.Call) else None

    def kind(self, node: ast.expr | None) -> str:
        """The kind of a value, as `Value.kind` names it; `element` for a subscript."""
        if node is None:
            return "none"
        if isinstance(node, ast.Await | ast.NamedExpr):
            return self.kind(node.value)
        if isinstance(node, ast.Constant):
            return self.constant(node.value)
        if (
            isinstance(node, ast.UnaryOp)
            and isinstance(node.operand, ast.Constant)
            and not isinstance(node.op, ast.Not)
        ):
            return "number"
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
            return "name" if self.chain(node) != "<expr>" else "other"
        if isinstance(node, ast.BoolOp):
            return "either" if isinstance(node.op, ast.Or) else "other"
        return KINDS.get(type(node), "other")

    def constant(self, value: object) -> str:
        if isinstance(value, str | bytes):
            return "string" if isinstance(value, str) else "bytes"
        return "constant" if value is None or value is ... or isinstance(value, bool) else "number"

    def expression(self, node: ast.AST, place: Place) -> None:
        if isinstance(node, COMPREHENSIONS):
            self.comprehension(node, place)
        else:
            getattr(self, f"see_{type(node).__name__}", self.plain)(node, place)

    def holder(self, node: ast.expr, place: Place) -> None:
        """What a call, attribute or subscript is taken from: an attribute there is no read of its own."""
        if isinstance(node, ast.Attribute):
            self.holder(node.value, place)
        else:
            self.expression(node, place)

    def see_Attribute(self, node: ast.Attribute, place: Place) -> None:
        self.read(node, place, subscript=False)
        self.holder(node.value, place)

    def see_Subscript(self, node: ast.Subscript, place: Place) -> None:
        self.read(node.value, place, subscript=True)
        self.holder(node.value, place)
        self.expression(node.slice, place)

    def read(self, node: ast.expr, place: Place, *, subscript: bool) -> None:
        if place.kept:
            self.rows.reads.add((place.function, self.chain(node), place.block, subscript))

    def see_Await(self, node: ast.Await, place: Place) -> None:
        value = node.value.value if isinstance(node.value, ast.NamedExpr) else node.value
        self.awaited.add(id(value))
        self.expression(node.value, place)

    def see_Call(self, node: ast.Call, place: Place) -> None:
        self.holder(node.func, place)
        outer, self.parent = self.parent, self.end(node)
        for each in [*node.args, *(keyword.value for keyword in node.keywords)]:
            self.expression(each.value if isinstance(each, ast.Starred) else each, place)
        self.parent = outer
        if place.kept:
            given = sorted(
                [("*" if isinstance(each, ast.Starred) else "") for each in node.args]
                + [(keyword.arg or "**") for keyword in node.keywords]
            )
            start = (node.lineno, node.col_offset, self.end(node))
            flags = (id(node) in self.awaited, id(node) in self.discarded)
            row = (place.function, *start, self.chain(self.branch(node.func)), place.block, *flags, tuple(given))
            self.rows.calls.append(row)
            if self.string_depth:
                self.in_strings.add(row)
            else:
                self.rows.links.append((place.function, self.end(node), outer, self.receiver(self.branch(node.func))))

    def see_JoinedStr(self, node: ast.JoinedStr, place: Place) -> None:
        self.string_depth += 1
        self.plain(node, place)
        self.string_depth -= 1

    def see_Lambda(self, node: ast.Lambda, place: Place) -> None:
        qualname = f"{place.prefix}<lambda>"
        inner = Place(qualname, f"{qualname}.<locals>.")
        outer, self.parent = self.parent, None
        parameters = self.parameters(node.args, inner)
        self.rows.blocks.append((qualname, "body", node.lineno, False, (), False))
        self.expression(node.body, inner)
        self.parent = outer
        self.rows.exits.append((qualname, node.lineno, None, "body", "return"))
        self.rows.functions.append((qualname, node.lineno, False, inner.yields[0], parameters))

    def see_NamedExpr(self, node: ast.NamedExpr, place: Place) -> None:
        self.expression(node.value, place)
        row = (place.function, node.lineno, self.end(node), place.block, (node.target.id,), ":=", False, False)
        self.rows.assignments.append((*row, place.attribute, self.kind(node.value)))

    def see_Yield(self, node: ast.Yield | ast.YieldFrom, place: Place) -> None:
        place.yields[0] = True
        self.plain(node, place)
        kind = "yield" if isinstance(node, ast.Yield) else "yield from"
        self.rows.exits.append((place.function, node.lineno, self.end(node), place.block, kind))

    see_YieldFrom = see_Yield

    def comprehension(self, node: ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp, place: Place) -> None:
        current = place
        for each in node.generators:
            self.expression(each.iter, current)
            outer, current = current, self.within(current, "comprehension")
            targets = self.targets(each.target, current)
            self.rows.blocks.append((outer.function, current.block, 0, bool(each.is_async), targets, False))
            for condition in each.ifs:
                self.expression(condition, current)
        parts = [node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt]
        for part in parts:
            self.expression(part, current)
