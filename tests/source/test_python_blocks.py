from __future__ import annotations

from textwrap import dedent

import pytest

from tests.source.reading import calls_text, facts_of, function, module_code, tree_text

CASES = {
    "if with elif and else": (
        """
        if a(): b()
        elif c.d: e()
        elif f(): return_()
        else:
            g()
            raise h()
        """,
        """
        1 if [a()]: b
        2 else of 1 [c.d]: e
        3 else of 1 [f()]: return_
        4 else of 1!: g h
        """,
    ),
    "loops": (
        """
        for order in orders.all():
            pay(order)
            continue
        else:
            done()
        while running and poll():
            for a, (b, *c) in rows: use(a)
            break
        """,
        """
        1 for -> order [orders.all()]!: pay
        2 else of 1: done
        3 while [running and poll()]!: poll
          4 for -> a, b, c [rows]: use
        """,
    ),
    "with": (
        """
        with open(path) as file, lock, pool.get() as (a, self.b):
            read(file)
        """,
        """
        1 with -> file [open(path)]
          2 with [lock]: pool.get
            3 with -> a, self.b [pool.get()]: read
        """,
    ),
    "with in parentheses": (
        """
        with (open(a) as b, open(c),):
            pass
        """,
        """
        1 with -> b [open(a)]: open
          2 with [open(c)]
        """,
    ),
    "try": (
        """
        try: a()
        except KeyError: b()
        except (OSError, x.Error) as error:
            c()
            raise
        except: d()
        else: e()
        finally: f()
        """,
        """
        1 try: a
        2 except of 1 [KeyError]: b
        3 except of 1 -> error [(OSError, x.Error)]!: c
        4 except of 1: d
        5 else of 1: e
        6 finally of 1: f
        """,
    ),
    "exception groups": (
        """
        try: a()
        except* OSError as group: b()
        """,
        """
        1 try: a
        2 except of 1 -> group [OSError]: b
        """,
    ),
    "match": (
        """
        match event.kind:
            case Created(order, at=when) if fresh(when): a()
            case {"id": ident, **rest} | [ident, *rest]: b()
            case shop.CLOSED | "x" as mark: break_()
            case _: pass
        """,
        """
        1 match [event.kind]
          2 case of 1 -> order, when [Created(order, at=when)]: fresh a
          3 case of 1 -> ident, rest, ident, rest [{"id": ident, **rest} | [ident, *rest]]: b
          4 case of 1 -> mark [shop.CLOSED | "x" as mark]: break_
          5 case of 1 [_]
        """,
    ),
    "comprehensions": (
        """
        x = [f(a, b) for a in g() if h(a) for b in i(a) if j(b)]
        y = {k(c): l(c) for c in m()}
        z = sum(n(d) for d in o())
        """,
        """
        1 comprehension -> a [g()]: h i
          2 comprehension -> b [i(a)]: f j
        3 comprehension -> c [m()]: k l
        4 comprehension -> d [o()]: n
        """,
    ),
    "nested comprehension": (
        "x = [[f(b) for b in g(a)] for a in h()]",
        """
        1 comprehension -> a [h()]: g
          2 comprehension -> b [g(a)]: f
        """,
    ),
    "deep nesting": (
        """
        with a():
            for b in c():
                try:
                    if d(): e()
                finally: f()
        """,
        """
        1 with [a()]: c
          2 for -> b [c()]
            3 try: d
              4 if [d()]: e
            5 finally of 3: f
        """,
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_block_trees(name: str) -> None:
    source, tree = CASES[name]
    assert tree_text(module_code(source)) == dedent(tree).strip()


def test_async_blocks() -> None:
    facts = facts_of("""
        async def run():
            async with a() as b, c():
                async for d in e():
                    await f(d)
            return [g(h) async for h in i() if await j(h)]
    """)
    run = function(facts, "run")
    assert (
        tree_text(run)
        == dedent("""
        1 async with -> b [a()]: c
          2 async with [c()]: e
            3 async for -> d [e()]: f
        4 async comprehension -> h [i()]: g j
    """).strip()
    )
    assert calls_text(run)[-1] == "await j(name)"
    assert run.blocks[0].exits


def test_regions_hold_the_positions_of_what_stands_in_them() -> None:
    code = module_code("""
        with a() as b:
            while c():
                d()
        e()
    """)
    by_name = {each.callee: each for each in code.calls}
    opened, loop = code.blocks[1], code.blocks[2]
    assert by_name["a"].position <= opened.start < by_name["c"].position <= opened.end
    assert loop.start < by_name["c"].position < by_name["d"].position <= loop.end < by_name["e"].position
    assert (opened.line, opened.end_line, loop.line, loop.end_line) == (2, 4, 3, 4)


def test_the_body_of_a_module_and_of_a_function() -> None:
    facts = facts_of("x = 1\n\ndef f(a=b()):\n    return a\n")
    module, f = facts.functions
    assert (module.blocks[0].kind, module.blocks[0].parent, module.blocks[0].start) == ("body", -1, 0)
    assert (f.blocks[0].line, f.blocks[0].end_line, f.blocks[0].exits) == (3, 4, True)


def test_which_blocks_end_with_break() -> None:
    code = module_code("for a in b:\n    if c:\n        break\n    if d:\n        continue\n")
    assert [(each.kind, each.exits, each.breaks) for each in code.blocks[1:]] == [
        ("for", False, False),
        ("if", True, True),
        ("if", True, False),
    ]


def test_statements_of_a_class_in_a_block_keep_their_block() -> None:
    facts = facts_of("if DEBUG:\n    class Order:\n        if NEW:\n            id = Column()\n")
    assert tree_text(facts.functions[0]) == "1 if [DEBUG]\n  2 if [NEW]: Column"
    assert facts.classes[0].attributes[0].block == 2
