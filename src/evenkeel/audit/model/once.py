"""Code that runs only the first time: memoised functions, and what is guarded by a check for its own result.

`global _settings; if _settings is None: _settings = load()` reads its file once in the life of the process; so does a
function without parameters under `functools.cache`. What happens there is no cost of the callers that come after.
"""

from __future__ import annotations

import re

from evenkeel.audit.model.facts import END, Block, Function
from evenkeel.audit.model.index import FunctionInfo

MISSING = re.compile(r"^(?:not ([\w.]+)|([\w.]+) is None)$")
PRESENT = re.compile(r"^(?:([\w.]+)|([\w.]+) is not None)$")

MEMBER = re.compile(r"^[\w.\[\]\"'(), ]+? (not )?in ([\w.]+)$")

# `time.time() - self.loaded > TTL`, `now - self._at >= timedelta(...)`, `self._expires < time.time()`
ELAPSED = re.compile(
    r"(?:now|time|monotonic|utcnow|perf_counter)\w*(?:\([^()]*\))?\s*(?:-\s*[\w.]+\s*)?(>=?|<=?)|"
    r"^[\w.]+\s*(>=?|<=?)\s*(?:[\w.]*\.)?(?:now|time|monotonic|utcnow)\b"
)

CACHE = re.compile(r"cache|memo|redis", re.IGNORECASE)

Region = tuple[int, int]  # positions of first and last byte, comparable with Call.position


def first_time_regions(function: Function) -> tuple[Region, ...]:
    """The regions of a function that run once in the life of the process: they set what their guard looks for.

    Only names that outlive the call count: declared `global`, or an attribute of a class. An attribute of `self` lives
    as long as its object, which may be one request.
    """
    return tuple(_guarded_regions(function, set(function.globals)))


def kept_regions(function: Function, *, cached: bool) -> tuple[Region, ...]:
    """The regions that run once for an object, a key, or equal arguments: kept on `self`, in a map that outlives the
    call, or behind a caching decorator."""
    if cached:
        return ((0, END),)
    branches = [block for block in function.blocks if block.kind == "if" and block.subject]
    if not branches:
        return ()
    targets = {target for each in function.assignments for target in each.targets}
    regions: list[Region | None] = []
    if _may_store(function, targets):
        regions += [_remembered(function, block) for block in branches]
    if function.owner >= 0:
        regions += _guarded_regions(function, {each for each in targets if each.startswith("self.")})
    if any(_outlives(function, each) for each in targets):
        regions += [_renewed(function, block) for block in branches]
    return tuple(each for each in regions if each is not None)


def _guarded_regions(function: Function, lasting: set[str]) -> list[Region]:
    """The regions that set what their guard looks for, where that is one of `lasting` or belongs to a class."""
    holders = _classes(function)
    set_here = (target for each in function.assignments for target in each.targets)
    if not any(each in lasting or ("." in each and each.partition(".")[0] in holders) for each in set_here):
        return []
    found = (_guarded(function, block, lasting) for block in function.blocks)
    return [each for each in found if each is not None]


def _may_store(function: Function, targets: set[str]) -> bool:
    """Whether anything in a function may put something into a map, see `_stores`."""
    return any("." in each or each.endswith("[]") for each in targets) or any(
        ".set" in each.callee or ".put" in each.callee for each in function.calls
    )


def _outlives(function: Function, target: str) -> bool:
    """Whether what is bound outlives the call."""
    return target in function.globals or target.startswith(("self.", "cls."))


def _classes(function: Function) -> set[str]:
    """The names by which a method knows its class."""
    return {"cls", function.qualname.split(".")[-2] if "." in function.qualname else ""}


def _remembered(function: Function, block: Block) -> Region | None:
    """`if key not in cache: cache[key] = load(key)`, and `found = cache.get(key); if found is not None: return found`."""
    text = block.subject.text if block.subject is not None else ""
    member = MEMBER.match(text) if " in " in text else None
    missing, present = MISSING.match(text), PRESENT.match(text)
    absent = member[1] is not None if member is not None else missing is not None
    if absent:
        region = (block.start, block.end)
    elif (member is not None or present is not None) and block.exits and block.parent >= 0:
        region = (block.end, function.blocks[block.parent].end)
    else:
        return None
    if member is not None:
        stores = {member[2]}
    else:
        name = next((each for match in (missing, present) if match for each in match.groups() if each), "")
        stores = _looked_up_in(function, name, block.start)
    return region if any(_stores(function, store, region) for store in stores) else None


def _renewed(function: Function, block: Block) -> Region | None:
    """`if time.time() - self.loaded > TTL: self.rows = load()`: once in a while, however often it is called."""
    if block.subject is None or ELAPSED.search(block.subject.text) is None:
        return None
    region = (block.start, block.end)
    if block.exits and block.parent >= 0 and not _keeps(function, region):
        region = (block.end, function.blocks[block.parent].end)
    return region if _keeps(function, region) else None


def _keeps(function: Function, region: Region) -> bool:
    """Whether something that outlives the call is bound in a region."""
    return any(
        is_inside(each.position, (region,)) and _outlives(function, target)
        for each in function.assignments
        for target in each.targets
    )


def _looked_up_in(function: Function, name: str, position: int) -> set[str]:
    """The maps that a local name was last read from: `cache` for `found = cache.get(key)`."""
    given = [each for each in function.assignments if name and name in each.targets and each.position < position]
    if not given or given[-1].value.call < 0:
        return set()
    holder, _, method = function.calls[given[-1].value.call].callee.rpartition(".")
    return {holder} if holder and (method == "get" or (method.startswith("get") and CACHE.search(holder))) else set()


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
    puts = (f"{store}.set", f"{store}.put")
    return kept or any(each.callee.startswith(puts) for each in calls)


def _guarded(function: Function, block: Block, lasting: set[str]) -> Region | None:
    if block.kind != "if" or block.subject is None:
        return None
    missing = MISSING.match(block.subject.text)
    present = PRESENT.match(block.subject.text)
    if missing:
        name, region = missing[1] or missing[2], (block.start, block.end)
    elif present and block.exits and block.parent >= 0:
        name, region = present[1] or present[2], (block.end, function.blocks[block.parent].end)
    else:
        return None
    names = {name, *_read_from(function, name, block.start)}
    return region if any(_sets(function, each, region, lasting) for each in names) else None


def _read_from(function: Function, name: str, position: int) -> set[str]:
    """What a local was last bound to, when that is another name: `found = _client`."""
    given = [each for each in function.assignments if name in each.targets and each.position < position]
    return {given[-1].value.text} if given and given[-1].value.kind == "name" else set()


def _sets(function: Function, name: str, region: Region, lasting: set[str]) -> bool:
    root, dot, _ = name.partition(".")
    outlives = name in lasting or (bool(dot) and root in _classes(function))
    return outlives and any(
        name in each.targets and each.operator in {"=", ":="} and region[0] <= each.position <= region[1]
        for each in function.assignments
    )


def is_inside(position: int, regions: tuple[Region, ...]) -> bool:
    """Whether a position lies in one of the regions."""
    return any(start <= position <= end for start, end in regions)


def is_memoised(function: Function, *, cached: bool) -> bool:
    """Whether a second call does nothing: the function is cached, and nothing it is given tells calls apart.

    A cached method remembers for each object, and such objects live long (the cache itself keeps them); a cached
    property remembers for objects of any kind, a request's too.
    """
    kept_with_object = any(each.chain.endswith("cached_property") for each in function.decorators)
    given = [each for each in function.parameters if each.name not in {"self", "cls"}]
    return cached and not given and not kept_with_object


def runs_once(info: FunctionInfo) -> bool:
    """Whether a function is start-up, command line, or migration code, so that nobody waits for it again and again.

    What a command merely calls is none: others may call it in ways that nothing here tells."""
    if info.kind in {"migration", "script"} or info.entry in {"startup", "cli", "migration"}:
        return True
    return bool(info.roles) and set(info.roles) <= {"startup", "migration"}


def ends_with_process(info: FunctionInfo) -> bool:
    """Whether the process ends soon after the function: a command, a script, a migration. What it leaves open or half
    done there, the end of the process closes and the database rolls back."""
    if info.kind in {"migration", "script"}:
        return True
    return bool(info.roles) and set(info.roles) <= {"cli", "migration"}


def serves_nobody(info: FunctionInfo) -> bool:
    """Whether a function is a command, script or migration itself: no request shares its event loop.

    What a command calls may be a server."""
    return info.kind in {"migration", "script"} or info.entry in {"cli", "migration"}
