from __future__ import annotations

import pytest

from evenkeel.audit.model.facts import Argument, Import, Parameter, Value
from tests.source.reading import facts_of, function


def test_functions_come_before_what_is_inside_them() -> None:
    facts = facts_of("""
        def outer():
            def inner(): return lambda: 1
            class Local:
                def method(self): ...
        class Orders:
            class Meta:
                def deep(self): ...
            def total(self): ...
            key = staticmethod(lambda: 2)
        async def run(): yield 1
        late = lambda: 3
    """)
    names = [(each.qualname, each.parent, each.owner) for each in facts.functions]
    assert names == [
        ("<module>", -1, -1),
        ("outer", 0, -1),
        ("outer.<locals>.inner", 1, -1),
        ("outer.<locals>.inner.<locals>.<lambda>", 2, -1),
        ("outer.<locals>.Local.method", 1, 0),
        ("Orders.Meta.deep", 0, 2),
        ("Orders.total", 0, 1),
        ("Orders.<lambda>", 0, -1),
        ("run", 0, -1),
        ("<lambda>", 0, -1),
    ]
    classes = [(each.qualname, each.parent, each.owner) for each in facts.classes]
    assert classes == [("outer.<locals>.Local", 1, -1), ("Orders", 0, -1), ("Orders.Meta", 0, 1)]
    run = function(facts, "run")
    assert (run.is_async, run.is_generator) == (True, True)


def test_parameters() -> None:
    facts = facts_of("""
        def f(a, b: int, c=1, /, d: "Order" = None, *rest: str, e, g: list["Order"] = [], **options: Any): ...
    """)
    none, empty = Value("constant", "None"), Value("list", "[]", size=0)
    assert facts.functions[1].parameters == (
        Parameter("a"),
        Parameter("b", "int"),
        Parameter("c", default=Value("number", "1")),
        Parameter("d", "Order", none),
        Parameter("rest", "str", kind="*"),
        Parameter("e", kind="keyword"),
        Parameter("g", "list[Order]", empty, "keyword"),
        Parameter("options", "Any", kind="**"),
    )


def test_parameters_after_a_bare_star_are_keywords() -> None:
    facts = facts_of("def f(a, *, b): ...\nx = lambda c, *d, e=1, **g: c\n")
    kinds = [[(each.name, each.kind) for each in every.parameters] for every in facts.functions[1:]]
    assert kinds == [
        [("a", "positional"), ("b", "keyword")],
        [("c", "positional"), ("d", "*"), ("e", "keyword"), ("g", "**")],
    ]


@pytest.mark.parametrize(
    ("written", "annotation"),
    [
        ("Order", "Order"),
        ('"Order"', "Order"),
        ("'list[Order]'", "list[Order]"),
        ('Optional["Order"]', "Optional[Order]"),
        ('"Order" | None', "Order | None"),
        ("Order |\\\n   None", "Order | None"),
        ('Annotated[str, Query(alias="x")]', 'Annotated[str, Query(alias="x")]'),
        ('Literal["a", "b"]', 'Literal["a", "b"]'),
        ("dict[str, list[int]]", "dict[str, list[int]]"),
    ],
)
def test_annotations(written: str, annotation: str) -> None:
    facts = facts_of(f"def f(a: {written}) -> {written}: ...\nx: {written} = None\n")
    made = facts.functions[1]
    assert (made.parameters[0].annotation, made.returns) == (annotation, annotation)
    assert facts.functions[0].assignments[0].annotation == annotation
    assert made.calls == facts.functions[0].calls == ()  # annotations are text


def test_decorators() -> None:
    facts = facts_of("""
        @property
        @app.task(bind=True, retries=3)
        @make(1)(2)
        def f(): ...
        @dataclass(frozen=True)
        class C: ...
    """)
    f, c = facts.functions[1], facts.classes[0]
    assert [(each.chain, each.called, each.line) for each in f.decorators] == [
        ("property", False, 2),
        ("app.task", True, 3),
        ("<call>", True, 4),
    ]
    assert (f.line, f.end_line) == (5, 5)
    assert c.decorators[0].arguments == (Argument("frozen", Value("constant", "True")),)


def test_a_lambda_in_a_decorator_is_a_function() -> None:
    facts = facts_of("@on(lambda event: handle(event))\ndef f(): ...\n")
    (decorator,) = function(facts, "f").decorators
    number = decorator.arguments[0].value.function
    assert [each.callee for each in facts.functions[number].calls] == ["handle"]
    assert facts.functions[0].calls == ()


def test_a_lambda_returns_its_body() -> None:
    facts = facts_of("x = lambda q=d(): q.foo()\n")
    made = facts.functions[1]
    assert [each.callee for each in made.calls] == ["d", "q.foo"]
    assert [(each.kind, each.value.call) for each in made.exits] == [("return", 1)]


def test_classes() -> None:
    facts = facts_of("""
        class Order(Base, mixins.Timed, Generic[T], make(), metaclass=Meta, table=True):
            __tablename__ = "orders"
            id: Mapped[int] = mapped_column(primary_key=True)
            note: str
            a, b = 1, 2
            lines = relationship(lambda: Line, lazy="select")
            x = y = None
    """)
    (order,) = facts.classes
    assert order.bases == ("Base", "mixins.Timed", "Generic[T]", "make()")
    assert [(each.keyword, each.value.text) for each in order.keywords] == [("metaclass", "Meta"), ("table", "True")]
    assert [(each.targets, each.annotation, each.value.kind) for each in order.attributes] == [
        (("__tablename__",), "", "string"),
        (("id",), "Mapped[int]", "call"),
        (("note",), "str", "none"),
        (("a",), "", "number"),
        (("b",), "", "number"),
        (("lines",), "", "call"),
        (("x", "y"), "", "constant"),
    ]
    assert facts.functions[0].assignments == ()
    assert [each.callee for each in facts.functions[0].calls] == ["make", "mapped_column", "relationship"]


def test_imports() -> None:
    facts = facts_of("""
        from __future__ import annotations
        import os
        import os.path
        import a.b as c, d.e
        from f.g import h as i, (j)
        from f.g import (
            k,  # why
            l as m,
        )
        from n import *
        def late():
            from o import p
    """)
    facts = facts_of("""
        from __future__ import annotations
        import os
        import os.path
        import a.b as c, d.e
        from f.g import (
            k,  # why
            l as m,
        )
        from n import *
        def late():
            from o import p
    """)
    assert facts.imports == (
        Import("annotations", "__future__.annotations", 2),
        Import("os", "os", 3),
        Import("os", "os", 4),
        Import("c", "a.b", 5),
        Import("d", "d", 5),
        Import("k", "f.g.k", 7),
        Import("m", "f.g.l", 8),
        Import("*", "n", 10),
        Import("p", "o.p", 12, 1),
    )


@pytest.mark.parametrize(
    ("path", "module", "targets"),
    [
        ("a/b/c.py", "a.b.c", ["a.b.x", "a.b.d.x", "a.x", "a.d.x", "x"]),
        ("a/b/__init__.py", "a.b", ["a.b.x", "a.b.d.x", "a.x", "a.d.x", "x"]),
        ("c.py", "c", ["x", "d.x", "x", "d.x", "x"]),
        ("c.py", "", ["x", "d.x", "x", "d.x", "x"]),
    ],
)
def test_relative_imports_are_made_absolute(path: str, module: str, targets: list[str]) -> None:
    source = "from . import x\nfrom .d import x\nfrom .. import x\nfrom ..d import x\nfrom ... import x\n"
    assert [each.target for each in facts_of(source, path, module).imports] == targets
