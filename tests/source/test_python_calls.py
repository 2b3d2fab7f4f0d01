from __future__ import annotations

import pytest

from tests.source.reading import calls_text, facts_of, function, module_code


@pytest.mark.parametrize(
    ("expression", "calls"),
    [
        ("f()", ["f();"]),
        ("a.b.c(d)", ["a.b.c(name);"]),
        ("f(g(x), h(y))", ["g(name)", "h(name)", "f(call, call);"]),
        ("a().b().c()", ["a()", "0<<call>.b()", "1<<call>.c();"]),
        ("a.b[k].c(1)", ["a.b[].c(number);"]),
        ("rows()[0].save()", ["rows()", "0<<call>[].save();"]),
        ("super().save()", ["super()", "0<<call>.save();"]),
        ('"".join(x)', ["<str>.join(name);"]),
        ('f"{g()}".strip()', ["g()", "<str>.strip();"]),
        ("(a or b).c()", ["b.c();"]),
        ("(a or b() or {}).c()", ["b()", "0<<call>.c();"]),
        ("(a if b else c).d()", ["a.d();"]),
        ("(a.b).c()", ["a.b.c();"]),
        ("((a).b).c()", ["a.b.c();"]),
        ("None.x()", ["<expr>.x();"]),
        ("f()()", ["f()", "0<<call>();"]),
        ("f(x)(y).z(w)", ["f(name)", "0<<call>(name)", "1<<call>.z(name);"]),
        ("[].append(1)", ["<expr>.append(number);"]),
        ("(x := f()).y()", ["f()", "0<<call>.y();"]),
        ("f(*a, b, c=d, **e)", ["f(*=name, name, c=name, **=name);"]),
        ("f(x for x in g())", ["g()", "f(comprehension);"]),
        ("a(b)[c(d)](e)", ["a(name)", "c(name)", "0<<call>[](name);"]),
        ("a\\\n  .b\\\n  .c()", ["a.b.c();"]),
        ("(a\n  # why\n  .b\n  .c())", ["a.b.c();"]),
        ("type(x).y()", ["type(name)", "0<<call>.y();"]),
        ("print(x)", ["print(name);"]),
        ("é.ü(x)", ["é.ü(name);"]),
        ("x = f()", ["f()"]),
        ("f() + g()", ["f()", "g()"]),
        ("not f()", ["f()"]),
        ("(f())", ["f();"]),
    ],
)
def test_callees_receivers_and_order(expression: str, calls: list[str]) -> None:
    assert calls_text(module_code(expression + "\n")) == calls


@pytest.mark.parametrize(
    ("statement", "calls"),
    [
        ("await f()", ["await f();"]),
        ("await (f())", ["await f();"]),
        ("(await f()).x.y()", ["await f()", "0<<call>.x.y();"]),
        ("await f(g())", ["g()", "await f(call);"]),
        ("await f(await g())", ["await g()", "await f(call);"]),
        ("await a.b().c()", ["a.b()", "await 0<<call>.c();"]),
        ("x = await f()", ["await f()"]),
        ("await f().task", ["f()"]),
        ("await (f() if x else g())", ["f()", "g()"]),
        ("(await task).done()", ["<expr>.done();"]),
        ("return [await f(x) for x in y]", ["await f(name)"]),
    ],
)
def test_awaited_calls(statement: str, calls: list[str]) -> None:
    facts = facts_of(f"async def run():\n    {statement}\n")
    assert calls_text(function(facts, "run")) == calls


def test_positions_lines_and_columns() -> None:
    code = module_code("x = 1\nsession.execute(\n    select(Order),\n)\n")
    select, execute = code.calls
    assert (select.line, select.end_line, select.column) == (3, 3, 4)
    assert (execute.line, execute.end_line, execute.column) == (2, 4, 0)
    assert select.position < execute.position  # arguments are evaluated first


def test_columns_and_positions_count_bytes() -> None:
    (call,) = module_code('é = "ü"; f()\n').calls
    assert call.column == len('é = "ü"; '.encode())
    assert call.position == len('é = "ü"; f()'.encode())


def test_parent_is_the_nearest_call_in_whose_arguments_it_stands() -> None:
    code = module_code("gather(a(b()), *[c(x).d() for x in y], key=lambda: e())\n")
    callees = [each.callee for each in code.calls]
    parents = {each.callee: code.calls[each.parent].callee if each.parent >= 0 else "" for each in code.calls}
    assert callees == ["b", "a", "c", "<call>.d", "gather"]  # e() belongs to the lambda
    assert parents == {"b": "a", "a": "gather", "c": "gather", "<call>.d": "gather", "gather": ""}


def test_a_receiver_is_not_in_the_arguments() -> None:
    inner, outer = module_code("a(1).b(2)\n").calls
    assert (inner.parent, outer.receiver) == (-1, 0)


def test_calls_of_decorators_are_facts_of_the_decorator() -> None:
    facts = facts_of("""
        before()
        @router.get("/orders", dependencies=[Depends(user)], default=make())
        async def list_orders(): ...
        after()
    """)
    assert calls_text(facts.functions[0]) == ["before();", "after();"]
    (decorator,) = function(facts, "list_orders").decorators
    assert (decorator.chain, decorator.called, decorator.line) == ("router.get", True, 3)
    assert [(each.keyword, each.value.kind) for each in decorator.arguments] == [
        ("", "string"), ("dependencies", "list"), ("default", "call"),
    ]  # fmt: skip
    assert decorator.arguments[1].value.names == ("Depends", "user")
    assert decorator.arguments[2].value.call == -1


def test_calls_of_defaults_belong_to_the_function_and_stand_before_its_body() -> None:
    facts = facts_of("def handler(session=Depends(get_session)):\n    use(session)\n")
    handler = function(facts, "handler")
    default = handler.parameters[0].default
    assert facts.functions[0].calls == ()
    assert calls_text(handler) == ["Depends(name)", "use(name);"]
    assert default is not None
    assert default.call == 0
    assert handler.calls[0].position < handler.blocks[0].start < handler.calls[1].position


def test_calls_of_a_class_body_belong_to_the_function_around_it() -> None:
    facts = facts_of("""
        class Order(make_base(), metaclass=meta()):
            id = Column(Integer())
            def total(self): return add(self.lines)
    """)
    assert calls_text(facts.functions[0]) == ["make_base()", "meta()", "Integer()", "Column(call)"]
    assert facts.classes[0].attributes[0].value.call == 3
    assert calls_text(function(facts, "Order.total")) == ["add(name)"]


def test_a_long_chain_needs_no_recursion() -> None:
    code = module_code("query" + ".where(x)" * 3_000 + "\n")
    assert len(code.calls) == 3_000
    assert code.calls[-1].receiver == 2_998


def test_a_long_sum_needs_no_recursion() -> None:
    assert len(module_code("x = " + " + ".join(["f()"] * 3_000) + "\n").calls) == 3_000


def test_nesting_beyond_all_measure_costs_only_its_statement() -> None:
    facts = facts_of("before()\nf(" + "-" * 5_000 + "1)\nafter()\n")
    assert [each.callee for each in facts.functions[0].calls] == ["before", "after"]
    assert facts.errors == (2,)
