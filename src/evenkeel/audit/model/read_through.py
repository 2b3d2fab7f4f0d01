"""Read-through caches: code that runs only for a key that is not known yet, because what it finds is put into a map.

`found = cache.get(key)`, `if found is not None: return found`, then the query and `cache.set(key, found)`. A cache may say
"not there" by a marker of its own (dogpile's `NO_VALUE`), and a parameter may say whether to look at all (`use_cache=True`):
then the guard of the region is that parameter, see model/flags.py.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from evenkeel.audit.model.facts import Block, Function
from evenkeel.audit.model.flags import Guard
from evenkeel.audit.model.once import MEMBER, MISSING, PRESENT, Region, is_inside

CACHE = re.compile(r"cache|memo|redis", re.IGNORECASE)
PUTS = re.compile(r"(^|_)(set|write|put|store|save|add|update)(_|$)", re.IGNORECASE)
NOTHING = (
    r"(?:\w+\.)*_*(?:no_?value|missing|miss|sentinel|not_?found|not_?set|unset|undefined|absent|nothing|marker)\w*"
)
# `x is NO_VALUE`, `type(x) is NoValue`, `not isinstance(x, NoValue)`
MARKED = re.compile(
    rf"^(?:(?P<other>not )?isinstance\((?P<kind>[\w.]+), {NOTHING}\)"
    rf"|(?:type\()?(?P<name>[\w.]+)\)? (?P<how>is not|is|!=|==) {NOTHING})$",
    re.IGNORECASE,
)
GuardAt = Callable[[int, int], Guard]


class Remembered(NamedTuple):
    """A region that runs once for a key, and the flag that has to be raised for that; () when nothing switches it off."""

    region: Region
    guard: Guard


def read_through(function: Function, guard_at: GuardAt) -> tuple[Remembered, ...]:
    """Every region of a function that runs only for keys which a map that outlives the call does not hold yet.

    `guard_at` is `flags.guards_of` of the function."""
    branches = [number for number, each in enumerate(function.blocks) if each.kind == "if" and each.subject]
    if not branches or not _may_store(function):
        return ()
    found = (_remembered(function, number, guard_at) for number in branches)
    return tuple([each for each in found if each is not None])


def remembered_at(regions: tuple[Remembered, ...], position: int) -> Remembered | None:
    """The first of the regions that a position lies in."""
    return next((each for each in regions if is_inside(position, (each.region,))), None)


def _may_store(function: Function) -> bool:
    """Whether anything in a function may put something into a map, see `_stores`."""
    if any("." in target or target.endswith("[]") for each in function.assignments for target in each.targets):
        return True
    return any(".set" in each.callee or ".put" in each.callee or _puts(each.callee) for each in function.calls)


def _puts(callee: str) -> bool:
    """Whether a function of the project puts something into its cache: `write_to_cache(key, value)`."""
    return CACHE.search(callee) is not None and PUTS.search(callee.rpartition(".")[2]) is not None


def _remembered(function: Function, number: int, guard_at: GuardAt) -> Remembered | None:
    block = function.blocks[number]
    for name, store, absent in _tests(block):
        guard: Guard = ()
        if absent:
            region = (block.start, block.end)
        elif block.exits and block.parent >= 0:
            guard, end = _beyond(function, block, guard_at)
            region = (block.end, end)
        else:
            continue
        stores, asked = ({store}, ()) if store else _looked_up_in(function, name, block, guard_at)
        if any(_stores(function, each, region) for each in stores):
            return Remembered(region, guard or asked)
    return None


def _tests(block: Block) -> Iterator[tuple[str, str, bool]]:
    """What a condition asks for: a name that a look-up gave, or else a map, and whether it holds when nothing is there."""
    text = block.subject.text if block.subject is not None else ""
    parts = text.split(" and ")
    for part in parts:
        member = MEMBER.match(part) if " in " in part else None
        missing, present, marked = MISSING.match(part), PRESENT.match(part), MARKED.match(part)
        if member is not None:
            found = ("", member[2], member[1] is not None)
        elif marked is not None:
            is_marker = marked["other"] is None if marked["kind"] else marked["how"] in {"is", "=="}
            found = (marked["kind"] or marked["name"], "", is_marker)
        elif missing is not None:
            found = (missing[1] or missing[2], "", True)
        elif present is not None:
            found = (present[1] or present[2], "", False)
        else:
            continue
        if found[2] or len(parts) == 1:
            yield found


def _beyond(function: Function, block: Block, guard_at: GuardAt) -> tuple[Guard, int]:
    """How far what follows an answer from the cache reaches; beyond `if use_cache:` around it only when the flag is raised."""
    around = function.blocks[block.parent]
    if around.kind != "if" or around.parent < 0:
        return (), around.end
    guard, outer = guard_at(block.parent, around.start), guard_at(around.parent, around.start)
    return (guard, function.blocks[around.parent].end) if guard and guard != outer else ((), around.end)


def _looked_up_in(function: Function, name: str, block: Block, guard_at: GuardAt) -> tuple[set[str], Guard]:
    """The maps that a local name was last read from, `cache` for `found = cache.get(key)`, and the flag of that read.

    A look-up through a function of the project gives its name: `read_from_cache()`."""
    given = [each for each in function.assignments if name and name in each.targets and each.position < block.start]
    if not given or given[-1].value.call < 0:
        return set(), ()
    call = function.calls[given[-1].value.call]
    holder, _, method = call.callee.rpartition(".")
    guard = guard_at(given[-1].block, given[-1].position)
    if holder and (method == "get" or (method.startswith("get") and CACHE.search(holder))):
        return {holder}, guard
    return ({f"{call.callee}()"}, guard) if CACHE.search(method) else (set(), ())


def _stores(function: Function, store: str, region: Region) -> bool:
    """Whether a region puts something into a map that is no local of the function."""
    root = store.partition(".")[0]
    local = root not in {"self", "cls", *function.globals} and (
        any(root in each.targets for each in function.assignments)
        or any(root == each.name for each in function.parameters)
    )
    if local:
        return False
    kept = any(
        (f"{store}[]" in each.targets or (store in each.targets and "." in store))
        and is_inside(each.position, (region,))
        for each in function.assignments
    )
    calls = (each for each in function.calls if is_inside(each.position, (region,)))
    if store.endswith("()"):
        return any(_puts(each.callee) for each in calls)
    puts = (f"{store}.set", f"{store}.put")
    return kept or any(each.callee.startswith(puts) for each in calls)
