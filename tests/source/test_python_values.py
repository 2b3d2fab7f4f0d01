from __future__ import annotations

import pytest

from evenkeel.audit.model.facts import Value
from tests.source.reading import facts_of, function, module_code, value_of


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("y", Value("name", "y", names=("y",))),
        ("self.db.url", Value("name", "self.db.url", names=("self.db.url",))),
        ("rows[0]", Value("name", "rows[]", names=("rows[]",))),
        ("rows[i].name", Value("name", "rows[].name", names=("rows[].name", "i"))),
        ("f().user", Value("name", "<call>.user", call=0, names=("f",))),
        ("(y)", Value("name", "y", names=("y",))),
        ("base / name", Value("name", "base./", names=("base", "name"))),
        ("1 / 3", Value("other", "1 / 3")),
        ("f(a, k=b.c)", Value("call", "f(a, k=b.c)", call=0, names=("f", "a", "b.c"))),
        ("a.b(c).d(e)", Value("call", "a.b(c).d(e)", call=1, names=("a.b", "c", "e"))),
        ("(f())", Value("call", "f()", call=0, names=("f",))),
        ("(z := f())", Value("call", "f()", call=0, names=("f",))),
        ("1", Value("number", "1")),
        ("-1.5", Value("number", "-1.5")),
        ("-y", Value("other", "-y", names=("y",))),
        ("None", Value("constant", "None")),
        ("...", Value("constant", "...")),
        ("[a, *b]", Value("list", "[a, *b]", names=("a", "b"))),
        ("[a, b]", Value("list", "[a, b]", size=2, names=("a", "b"))),
        ("{}", Value("dict", "{}", size=0)),
        ('{"k": v}', Value("dict", '{"k": v}', size=1, names=("v",))),
        ("{**a}", Value("dict", "{**a}", names=("a",))),
        ("{a, b}", Value("set", "{a, b}", size=2, names=("a", "b"))),
        ("a, b", Value("tuple", "a, b", size=2, names=("a", "b"))),
        ("(a, # one\n b)", Value("tuple", "(a, # one b)", size=2, names=("a", "b"))),
        ("()", Value("tuple", "()", size=0)),
        ("[i.id for i in y]", Value("comprehension", "[i.id for i in y]", names=("i.id", "y"))),
        ("(i for i in y)", Value("comprehension", "(i for i in y)", names=("i", "y"))),
        ("lambda i: i.id", Value("lambda", "lambda i: i.id", function=1, names=("i.id",))),
        ("a or b", Value("either", "a or b", names=("a", "b"))),
        ("f() or b", Value("either", "f() or b", call=0, names=("f", "b"))),
        ("f() if c() else g()", Value("either", "f() if c() else g()", call=0, names=("f", "c", "g"))),
        ("f().x or None", Value("either", "f().x or None", call=0, names=("f",))),
        ("a and b", Value("other", "a and b", names=("a", "b"))),
        ("not a", Value("other", "not a", names=("a",))),
        ("a < b", Value("other", "a < b", names=("a", "b"))),
        ("a + b.c", Value("other", "a + b.c", names=("a", "b.c"))),
        ("f(a,\n   b)", Value("call", "f(a, b)", call=0, names=("f", "a", "b"))),
        ("dict[str, Order]", Value("other", "dict[str, Order]", names=("dict[]", "str", "Order"))),
        ("f(key=a)[key]", Value("name", "<call>[]", call=0, names=("f", "a", "key"))),
        ("a + a + f(a)", Value("other", "a + a + f(a)", names=("a", "f"))),
    ],
)
def test_kinds_texts_and_names(expression: str, value: Value) -> None:
    assert value_of(expression) == value


@pytest.mark.parametrize(
    ("literal", "text", "size"),
    [
        ('"abc"', "abc", 3),
        ("'''a\nb'''", "a\nb", 3),
        ('"a" "b"', "ab", 2),
        ('("a"\n "b")', "ab", 2),
        ('f"a{x.y}b"', "a{}b", 4),
        ('f"{a}{{b}}" "{c}"', "{}{b}{c}", 8),
        ('f"{a:>{w}}"', "{}", 2),
        (r'"a\nb\t\"c\""', 'a\nb\t"c"', 7),
        (r'r"a\nb"', r"a\nb", 4),
        ('"é"', "é", 1),
        ('""', "", 0),
        ('t"a{x}"', "a{}", 3),
    ],
)
def test_strings(literal: str, text: str, size: int) -> None:
    value = value_of(literal)
    assert (value.kind, value.text, value.size) == ("string", text, size)


def test_bytes_are_told_from_text() -> None:
    assert [value_of(each).kind for each in ('b"a"', 'rb"a"', 'Rb"a"', 'u"a"')] == ["bytes", "bytes", "bytes", "string"]


@pytest.mark.parametrize(
    "start", ["SELECT", "  \n -- all\n(select", "/* x */ With", "insert into", "BEGIN;\n", "Notify"]
)
def test_sql_is_kept_whole(start: str) -> None:
    text = f"{start} {'x' * 9_000}"
    value = value_of(f"'''{text}'''")
    assert value.text == text[:8_000]
    assert value.size == len(text)


@pytest.mark.parametrize("start", ["selection", "hello", "SELECTED", "call%s"])
def test_other_strings_are_cut(start: str) -> None:
    assert len(value_of(f"'{start} {'x' * 9_000}'").text) == 200


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        ('"SELECT a FROM " + table', "SELECT a FROM {}"),
        ('"SELECT " + columns + " FROM t"', "SELECT {} FROM t"),
        ('"SELECT a FROM t WHERE id = %s" % ident', "SELECT a FROM t WHERE id = %s"),
        ('"SELECT a " f"FROM {t}" + w()', "SELECT a FROM {}{}"),
    ],
)
def test_sql_put_together_is_a_string_with_holes(expression: str, text: str) -> None:
    value = value_of(expression)
    assert (value.kind, value.text, value.size) == ("string", text, -1)


def test_names_in_holes_are_read() -> None:
    code = module_code('x = f"{order.id} {total(order)!r:>{width}}"\n')
    assert code.assignments[0].value.names == ("order.id", "total", "order", "width")
    assert [each.callee for each in code.calls] == ["total"]
    assert [each.chain for each in code.reads] == ["order.id"]


def test_awaited_values() -> None:
    facts = facts_of("""
        async def run():
            a = await f()
            b = await task
            c = (await f()).x
            d = await f() or await g()
    """)
    values = [each.value for each in function(facts, "run").assignments]
    assert [(each.kind, each.awaited, each.call) for each in values] == [
        ("call", True, 0), ("name", True, -1), ("name", False, 1), ("either", False, 2),
    ]  # fmt: skip


def test_long_texts_are_cut() -> None:
    value = value_of(f"[{', '.join(['element'] * 500)}]")
    assert (len(value.text), value.size) == (200, 500)


def test_reads_are_attribute_loads_once_a_block() -> None:
    code = module_code("""
a.b.c
a.b.c
if x:
    a.b.c
use(a.b)
a.d.e()
a.f = a.g
a.h += a.i
del a.j
@a.k
def f(y: a.l = a.m) -> a.n: ...
a.o[0]
rows[1].p
rows[2] = 3
(a.q).r()
f().s
for a.t in a.u: pass
""")
    reads = [(each.chain, each.block, each.subscript) for each in code.reads]
    assert reads == [
        ("a.b.c", 0, False), ("a.b.c", 1, False), ("a.b", 0, False), ("a.g", 0, False), ("a.i", 0, False),
        ("a.o", 0, True), ("rows", 0, True), ("rows[].p", 0, False), ("<call>.s", 0, False), ("a.u", 0, False),
    ]  # fmt: skip
    assert code.reads[-2].receiver == [each.callee for each in code.calls].index("f")


def test_slices_that_end() -> None:
    code = module_code("a = x[:10]\nb = x[1:n]\nc = x[i:]\nd = x[:-1]\ne = x[2]\nf = x.y[:n][0]\ng = x[: 2 * n]\n")
    assert [(each.value.kind, each.value.text, each.value.size) for each in code.assignments] == [
        ("name", "x[]", 10),
        ("name", "x[]", 0),
        ("name", "x[]", -1),
        ("name", "x[]", -1),
        ("name", "x[]", -1),
        ("name", "x.y[][]", -1),
        ("name", "x[]", 0),
    ]
