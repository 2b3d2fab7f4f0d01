"""A list built only to be consumed

`any([...])`, `all([...])`, `set([...])`, `sum([...])`, `dict([...])`, `sorted(list(...))`, `list(sorted(...))`: a list
is made whole, read once, and thrown away.

**Why it costs.** `any` and `all` stop at the first element that decides; with a list every element is computed first
(10,000 elements, decided by the sixth: 109 µs with the list, under 1 µs without). `dict([...])` takes 2.4 times as
long as the dict comprehension (427 µs against 181 µs), and a list around or inside `sorted` is one copy more. For
`set`, `sum`, `min` and `max` the list costs memory only, in time it is as fast or faster (CPython 3.11, 10,000
elements). The functions take any iterable: https://docs.python.org/3/library/functions.html#any.

**Do instead.** Drop the brackets (`any(x > 0 for x in xs)`), write the comprehension of the wanted type (`{...}`,
`{k: v ...}`), and give `sorted` the iterable itself.

**Leave it when** `sum`, `min` or `max` runs over a short list in a hot place and memory is no concern. Not reported:
`"".join([...])` and `len([...])`, where the list is the faster form (1.9 and 2 times); a comprehension that awaits,
which `any` cannot consume as a generator; one whose calls must run for every element because they write something.

```python flags
def totals(orders, codes):
    late = any([order.due < order.now for order in orders])  # flagged
    paid = all([order.paid for order in orders])  # flagged
    names = set([order.name for order in orders])  # flagged
    unique = frozenset(list(codes))  # flagged
    first = sorted(list(codes))[0]  # flagged
    ranked = list(sorted(codes, key=str))  # flagged
    return late, paid, names, unique, first, ranked, sum([order.total for order in orders])  # flagged
```

```python flags
from collections.abc import Iterable
from sqlalchemy import select
from sqlalchemy.orm import Session
from app.models import Price

def prices(session: Session, codes: Iterable[str]) -> dict[str, int]:
    rows = session.scalars(select(Price).where(Price.code.in_(set(list(codes)))))  # flagged
    return dict([(row.code, row.cents) for row in rows])  # flagged
# file: app/models.py
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

class Base(DeclarativeBase):
    pass

class Price(Base):
    __tablename__ = "prices"
    code: Mapped[str] = mapped_column(primary_key=True)
    cents: Mapped[int]
```

```python passes
from pathlib import Path

def report(orders, client):
    late = any(order.due < order.now for order in orders)
    names = {order.name for order in orders}
    text = ", ".join([order.name for order in orders])
    count = len([order for order in orders if order.open])
    ranked = sorted([order.total for order in orders])
    return late, names, text, count, ranked, list(orders), tuple([order.id for order in orders])

async def reachable(hosts, ping):
    return any([await ping(host) for host in hosts])

def cleaned(folder: Path) -> bool:
    def clean(path: Path) -> bool:
        path.unlink()
        return True

    return all([clean(path) for path in folder.iterdir()])
```
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from evenkeel.audit.model.context import ContextStore
from evenkeel.audit.model.effects import EffectKind
from evenkeel.audit.model.facts import Value
from evenkeel.audit.model.finding import Finding
from evenkeel.audit.model.loops import FEW
from evenkeel.audit.model.rule import Rule
from evenkeel.audit.model.shapes import FEEDS
from evenkeel.audit.model.view import CallView, ModuleView

RULE = Rule(title="A list built only to be consumed", severity="LOW", facts=frozenset({"calls"}))

# Consumer -> what to write instead, where the argument is a list comprehension.
OF_COMPREHENSION = {
    "any": "Drop the brackets: a generator stops at the first true element.",
    "all": "Drop the brackets: a generator stops at the first false element.",
    "set": "Write the set comprehension `{...}`.",
    "frozenset": "Drop the brackets: `frozenset` takes a generator.",
    "dict": "Write the dict comprehension `{key: value for ...}`.",
    "list": "The comprehension is the list already.",
    "sum": "Drop the brackets: the sum needs no list.",
    "min": "Drop the brackets: the minimum needs no list.",
    "max": "Drop the brackets: the maximum needs no list.",
}
OF_LIST = frozenset({"any", "all", "set", "frozenset", "sorted", "tuple", "list", "sum", "min", "max"})
LITERALS = frozenset({"list", "tuple", "set"})
MAKERS = frozenset({"list", "sorted"})
CONSUMERS = OF_LIST | OF_COMPREHENSION.keys()
ACTIONS = re.compile(
    r"_*(execute|delete|remove|write|save|update|send|create|close|process|run|apply|add|set|put|emit)"
)
DECIDERS = frozenset({"any", "all"})
WRITES: tuple[EffectKind, ...] = (
    "db-write",
    "db-pending",
    "commit",
    "file",
    "network",
    "subprocess",
    "enqueue",
    "spawn",
)


def check(module: ModuleView, context: ContextStore) -> Iterator[Finding]:
    """One finding for each call that consumes a list made for it."""
    del context
    if module.kind in {"migration", "script"}:  # runs once
        return
    for function in module.functions[1:]:  # a module's own code runs once
        if not (function.shape & FEEDS or function.asks(*MAKERS)):
            continue
        for call in function.calls_of(CONSUMERS):
            instead = _instead(call)
            if instead:
                yield call.finding(
                    "LOW",
                    f"`{call.name}(...)` consumes a list that is built only for it in `{function.fact.name}`",
                    instead,
                    effort="S",
                )


def _instead(call: CallView) -> str:
    given = call.argument(0)
    if given is None or call.fact.arguments[0].keyword:
        return ""
    if given.kind == "comprehension" and given.text.startswith("["):
        needed = _goes_through_a_few(call, given) or _needs_list(call, given)
        return "" if needed else OF_COMPREHENSION.get(call.library, "")
    inner = call.function.call(given.call) if given.kind == "call" else None
    if inner is None or call.library not in OF_LIST:
        return ""
    if inner.library == "list" and len(inner.fact.arguments) == 1:
        return f"Give `{call.library}` the iterable itself, without `list(...)`."
    return "`sorted` gives a list already." if call.library == "list" and inner.library == "sorted" else ""


def _goes_through_a_few(call: CallView, given: Value) -> bool:
    """Whether the comprehension goes through a handful that is written there: a list of so few is as fast as a generator."""
    blocks = (each for each in call.function.fact.blocks if each.kind == "comprehension")
    over = [each.subject for each in blocks if call.line <= each.line <= call.fact.end_line]
    own = [each for each in over if each is not None and each.text in given.text]
    return bool(own) and all(each.kind in LITERALS and 0 < each.size <= FEW and not each.names for each in own)


def _needs_list(call: CallView, given: Value) -> bool:
    """Whether the comprehension awaits, or is there to do something for every element."""
    inside = [each for each in call.function.calls if _is_within(each, call)]
    if any(each.fact.awaited for each in inside) or " async for " in f" {given.text}":
        return True
    return call.library in DECIDERS and any(each.reaches(*WRITES) or _acts(each) for each in inside)


def _acts(call: CallView) -> bool:
    """Whether a call that nothing resolves is named as if it did something."""
    return not call.library and not call.link.targets and bool(ACTIONS.match(call.name))


def _is_within(inner: CallView, outer: CallView) -> bool:
    """Whether a call stands somewhere in the arguments of another."""
    current = inner.parent
    while current is not None and current.index != outer.index:
        current = current.parent
    return current is not None
