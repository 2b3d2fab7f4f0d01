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

Region = tuple[int, int]  # positions of first and last byte, comparable with Call.position


def first_time_regions(function: Function) -> tuple[Region, ...]:
    """The regions of a function that run once in the life of the process: they set what their guard looks for.

    Only names that outlive the call count: declared `global`, or an attribute of a class. An attribute of `self` lives
    as long as its object, which may be one request.
    """
    return tuple(_guarded_regions(function, set(function.globals)))


def kept_regions(function: Function, *, cached: bool) -> tuple[Region, ...]:
    """The regions that run once for an object or equal arguments: kept on `self`, renewed after a time, or behind a
    caching decorator. What a map keeps for a key is in model/read_through.py."""
    if cached:
        return ((0, END),)
    branches = [block for block in function.blocks if block.kind == "if" and block.subject]
    if not branches:
        return ()
    targets = {target for each in function.assignments for target in each.targets}
    regions: list[Region | None] = []
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


def _outlives(function: Function, target: str) -> bool:
    """Whether what is bound outlives the call."""
    return target in function.globals or target.startswith(("self.", "cls."))


def _classes(function: Function) -> set[str]:
    """The names by which a method knows its class."""
    return {"cls", function.qualname.split(".")[-2] if "." in function.qualname else ""}


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
