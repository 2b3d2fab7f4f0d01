"""Counts that decide: the result of a COUNT is held against a limit, so that somebody is let in or turned away."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from evenkeel.audit.model.facts import Block, Value
from evenkeel.audit.model.handed import handed_sql
from evenkeel.audit.model.sql import counts
from evenkeel.audit.model.uses import values_of
from evenkeel.audit.model.view import CallView, FunctionView, Reach

DEEPEST = 3  # steps from the comparison down to the COUNT
ADMITS = re.compile(
    r"(^|_)(acquire|admit|admission|lock|try_lock|reserve|allow|allowed|can|check|ensure|enforce|quota|limit|limiter|rate"
    r"|throttle|is_redeemable|redeemable|capacity|available|slots?|enter)(_|$)"
)
LIMITS = re.compile(
    r"limit|max|quota|capacity|\bcap\b|allowed|allowance|remaining|slots?\b|threshold|per_", re.IGNORECASE
)
KEEPERS = frozenset({"get_or_set", "aget_or_set", "get_or_compute"})  # of caches: what they run, they run on a miss
BOUNDED = re.compile(r"__in\b|\bin_\(")
PAGES = re.compile(r"page|offset|skip|cursor|per_page|total_pages|\blimit\(|\.limit\b|items|paginat", re.IGNORECASE)
COMPARES = r"(?:>=|<=|>|<|==|!=)"
ORDERS = re.compile(r">|<")


class Decision(NamedTuple):
    """A count, where it is compared, and with what. `against_zero`: only whether there is one at all was asked."""

    counting: CallView
    reach: Reach
    line: int
    text: str
    against_zero: bool
    leaves: bool  # the branch raises or returns

    @property
    def admits(self) -> bool:
        """Whether somebody is let in or turned away: the number is held against a limit, or the function is named so."""
        if self.reach.kept:
            return False  # counted once for an object, a key, or equal arguments
        function = self.counting.function.fact.qualname
        ordered = ORDERS.search(self.text) is not None and not self.against_zero
        return ordered and (
            LIMITS.search(f"{self.text} {function}") is not None
            or ADMITS.search(function.rpartition(".")[2]) is not None
            or _is_constant(self)
        )


def decisions(function: FunctionView) -> Iterator[Decision]:
    """Every count of a function whose result is compared, but for page numbers."""
    for call in function.calls_reaching("db-count"):
        reach = next((each for each in call.reaches("db-count") if not each.looped), None)
        if (
            reach is None
            or call.name in KEEPERS
            or not (len(reach.path) <= DEEPEST or _names_it(call))
            or not _gives_number(call, reach)
        ):
            continue
        found = _compared(function, call)
        bounded = any(BOUNDED.search(step) for step in call.query)
        if found is not None and not bounded and not PAGES.search(found[0].text):
            value, block = found
            yield Decision(call, reach, _line(block, call), value.text, _is_zero(value.text), _ends(function, block))


def _names_it(call: CallView) -> bool:
    """Whether the call itself says which statement is run, however deep below."""
    return any(counts(each) for each in handed_sql(call))


def _gives_number(call: CallView, reach: Reach) -> bool:
    """Whether the call answers with the count, and does not load rows or write besides."""
    if reach.direct or _names_it(call):
        return True
    is_number = not call.link.result or "int" in call.link.result
    return is_number and not call.reaches("db-load-all", "db-write", "commit")


def _compared(function: FunctionView, call: CallView) -> tuple[Value, Block | None] | None:
    """The expression in which a call's result is compared, and the block that it decides over."""
    names = _names_of(function, call)
    patterns = [
        rf"(?<![\w.]){re.escape(each)}\s*{COMPARES}|{COMPARES}\s*{re.escape(each)}(?![\w(])" for each in sorted(names)
    ]
    text = re.escape(call.name) + r"\("
    for block in function.fact.blocks:
        subject = block.subject
        if block.kind in {"if", "else", "while"} and subject is not None and _matches(subject, patterns, text, call):
            return subject, block
    for position, value in values_of(function.fact):
        if (
            position >= call.fact.position
            and value.kind in {"other", "either"}
            and _matches(value, patterns, text, call)
        ):
            return value, None
    return None


def _matches(value: Value, patterns: list[str], own: str, call: CallView) -> bool:
    if any(re.search(each, value.text) for each in patterns):
        return True
    direct = re.search(rf"{own}.*\)\s*{COMPARES}|{COMPARES}\s*(?:await\s+)?[\w.]*{own}", value.text)
    return direct is not None and call.fact.line <= call.fact.end_line and call.name in value.text


def _names_of(function: FunctionView, call: CallView) -> set[str]:
    """Names that carry the number: assigned from the call, from calls chained to it, or from `result.scalar_one()`."""
    made = {call.index}
    names: set[str] = set()
    for index, each in enumerate(function.fact.calls):
        root = each.callee.partition(".")[0]
        if each.receiver in made or (root in names and each.position > call.fact.position):
            made.add(index)
        names.update(_assigned(function, made))
    names.update(_assigned(function, made))
    return names | _converted(function, names)


def _assigned(function: FunctionView, made: set[int]) -> set[str]:
    return {
        target
        for each in function.fact.assignments
        if each.value.call in made and not each.unpacked
        for target in each.targets
        if "[]" not in target
    }


def _converted(function: FunctionView, names: set[str]) -> set[str]:
    """Names given the number out of a row: `used = int(row[0])`, `used = row["n"] if row else 0`."""
    found: set[str] = set()
    for each in function.fact.assignments:
        call = function.call(each.value.call) if each.value.call >= 0 else None
        plain = each.value.kind in {"name", "either"} or (each.value.kind == "call" and _is_number(call))
        if plain and (call is None or _is_number(call)) and names.intersection(map(_stem, each.value.names)):
            found.update(target for target in each.targets if target.isidentifier())
    return found


def _is_number(call: CallView | None) -> bool:
    return call is not None and call.library in {"int", "bool", "float"}


def _stem(chain: str) -> str:
    return chain.partition(".")[0].removesuffix("[]")


def _line(block: Block | None, call: CallView) -> int:
    return block.line if block is not None else call.line


def _is_zero(text: str) -> bool:
    return re.search(rf"{COMPARES}\s*[01]\b(?!\.)", text) is not None


def _ends(function: FunctionView, block: Block | None) -> bool:
    if block is None:
        return True
    number = function.fact.blocks.index(block)
    return block.exits or any(each.block == number for each in function.fact.exits)


def _is_constant(each: Decision) -> bool:
    """Whether the other side is a number or a constant of the program: `>= 500`, `>= MAX_USERS`."""
    return re.search(rf"{COMPARES}\s*(\d{{2,}}|[A-Z][A-Z0-9_]{{2,}}\b)", each.text) is not None


def pages(function: FunctionView) -> bool:
    """Whether the function builds a page of a list, whose total is arguable and not an admission."""
    steps = [step for call in function.calls for step in call.query]
    named = [each.name for each in function.fact.parameters]
    return any(each.startswith(("limit(", "offset(")) for each in steps) or any(PAGES.search(each) for each in named)
