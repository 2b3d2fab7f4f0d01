from __future__ import annotations

from tests.source.reading import assignment_texts, facts_of, function, module_code


def test_assignments() -> None:
    code = module_code("""
        a = b = f()
        c, d = g()
        [e, (h, *i)] = j
        k, l = m(), n
        o: int = 1
        p: "Order"
        self.q, r[s], t.u[v].w = x
        y += z()
        r[s()] |= 1
        del a, r[0], t.u
        type Alias = list
        (q := f())
        *w, x = y
    """)
    assert assignment_texts(code) == [
        "a, b = f()",
        "c, d = g()",
        "e, h, i = j",
        "k = m()",
        "l = n",
        "o: int = 1",
        "p: Order =",
        "self.q, r[], t.u[].w = x",
        "y += z()",
        "r[] |= 1",
        "a, r[], t.u del",
        "Alias = list",
        "q := f()",
        "w, x = y",
    ]
    unpacked = [", ".join(each.targets) for each in code.assignments if each.unpacked]
    assert unpacked == ["c, d", "e, h, i", "self.q, r[], t.u[].w", "w, x"]
    assert [each.position for each in code.assignments] == sorted(each.position for each in code.assignments)


def test_an_assignment_comes_after_the_calls_of_its_value() -> None:
    code = module_code("a[f()] = g()\n")
    assert [each.callee for each in code.calls] == ["f", "g"]
    assert code.assignments[0].position == code.calls[-1].position


def test_a_walrus_stands_in_the_block_where_it_is_evaluated() -> None:
    code = module_code("while chunk := read():\n    if (n := len(chunk)) > 1: pass\n")
    assert [(each.targets, each.operator, each.block) for each in code.assignments] == [
        (("chunk",), ":=", 1),
        (("n",), ":=", 1),
    ]
    assert code.blocks[1].subject is not None
    assert code.blocks[1].subject.kind == "call"


def test_exits() -> None:
    facts = facts_of("""
        def f(x):
            if x:
                return
            yield
            y = yield x.id
            yield from g(x)
            raise E(x) from x.cause
            raise
    """)
    f = function(facts, "f")
    assert [(each.kind, each.value.kind, each.value.text, each.block, each.line) for each in f.exits] == [
        ("return", "none", "", 1, 4),
        ("yield", "none", "", 0, 5),
        ("yield", "name", "x.id", 0, 6),
        ("yield from", "call", "g(x)", 0, 7),
        ("raise", "call", "E(x)", 0, 8),
        ("raise", "none", "", 0, 9),
    ]
    assert f.is_generator
    assert not facts.functions[0].is_generator
    assert [each.chain for each in f.reads] == ["x.id", "x.cause"]


def test_keys_of_targets() -> None:
    code = module_code("""
        cache[user.id] = make(b)
        x[i][j], y = f(1)
        counts[key(k)] += z
        del x["a"], y[f"{t}"]
        plain = cache[b]
    """)
    assert [each.keys for each in code.assignments] == [("user.id",), ("i", "j"), ("key", "k"), ("t",), ()]


def test_globals() -> None:
    facts = facts_of("def f():\n    global a, b\n    def g():\n        nonlocal c\n")
    assert [each.globals for each in facts.functions] == [(), ("a", "b"), ("c",)]


def test_assert_is_scanned() -> None:
    code = module_code("assert check(a.b), message()\n")
    assert [each.callee for each in code.calls] == ["check", "message"]


def test_lines_are_neither_blank_nor_comments() -> None:
    facts = facts_of('"""Doc\n\nstring."""\n\n# comment\n   # indented\nx = 1  # beside\n\n\ty = (\n\n)\n')
    assert facts.lines == 5


def test_suppressions_are_comments() -> None:
    facts = facts_of("""
        x = f()  # evenkeel: ignore[n-plus-one] small table
        # evenkeel:ignore
        y = "# evenkeel: not this"
        #evenkeel: off
        z = 1  # see evenkeel: docs
    """)
    assert facts.suppressions == ((2, "ignore[n-plus-one] small table"), (3, "ignore"), (5, "off"))


def test_an_empty_file() -> None:
    facts = facts_of("")
    assert (facts.lines, len(facts.functions), facts.errors) == (0, 1, ())
    assert facts.functions[0].qualname == "<module>"
