"""Reads of one row by key: which reads give one row, what they are keyed with, and whether they load the whole row."""

from __future__ import annotations

import re
from collections.abc import Iterator

from evenkeel.audit.model.facts import Call, Function
from evenkeel.audit.model.index import Link

SINGLE = frozenset(
    {"one", "one_or_none", "scalar_one", "scalar_one_or_none", "scalar", "first", "get", "get_or_none", "get_or_404"}
    | {"get_one", "aget", "afirst", "alast", "last", "find_one", "fetchone", "fetchrow", "fetchval", "fetch_one"}
    | {"get_object_or_404", "aget_object_or_404", "query_one", "find_unique", "find_first"}
)
FILTERS = re.compile(
    r"^(where|filter|filter_by|get|aget|get_or_none|get_or_404|find_one|\w*get_object_or_404|having)\("
)
COLUMNS_ONLY = re.compile(r"^(values|values_list|only|with_only_columns|with_entities|load_only|exists|count)\(")
SELECTED = re.compile(r"^(?:select|query)\((.*)\)$", re.DOTALL)
SQL_COLUMNS = re.compile(r"^\s*SELECT\s+(.*?)\s+FROM\b", re.IGNORECASE | re.DOTALL)
IDENTITY = re.compile(
    r"^(id|_id|pk|uuid|uid|guid|oid|slug|key|code|token|email|username|handle|name|number|external_id|public_id)$"
)
COMPARED = re.compile(r"[\w\]]\.(\w+)\)?\s*==")
KEYWORDS = re.compile(r"(?<![\w.])(\w+)\s*=(?!=)")
SQL_COMPARED = re.compile(r"(\w+)\s*=\s*(?:\$\d|%s|%\(|\?|:\w|\{)")
BUILT = re.compile(r"^\w+\(")
WORD = re.compile(r"'[^']*'|\"[^\"]*\"|[A-Za-z_][\w.]*(\s*=(?!=))?")
COLLECTIONS = frozenset({"dict", "list", "set", "tuple", "frozenset", "sorted"})
LONGEST_CHAIN = 6


def is_single(function: Function, call: Call, link: Link) -> bool:
    """Whether a read gives one row: by its own name, by its query, or by what is called on its result."""
    if call.callee.rpartition(".")[2] in SINGLE or any("limit(1)" in s or "LIMIT 1" in s for s in link.query):
        return True
    index = next((i for i, each in enumerate(function.calls) if each is call), -1)
    for _ in range(LONGEST_CHAIN):
        if index >= 0 and function.calls[index].callee in COLLECTIONS:
            return False  # what is looked up in it afterwards is no query
        index = _consumer(function, index) if index >= 0 else -1
        if index < 0:
            return False
        if function.calls[index].callee.rpartition(".")[2] in SINGLE:
            return True
    return False


def _consumer(function: Function, index: int) -> int:
    """The next call on the result of a call: chained to it, or on the name that the result is given."""
    chained = next((i for i, each in enumerate(function.calls) if each.receiver == index), -1)
    if chained >= 0:
        return chained
    given = next((each for each in function.assignments if each.value.call == index and len(each.targets) == 1), None)
    if given is None or given.value.kind != "call":
        return -1
    later = (
        i
        for i, each in enumerate(function.calls)
        if each.position > given.position and each.callee.startswith(f"{given.targets[0]}.")
    )
    return next(later, -1)


def is_partial(link: Link) -> bool:
    """Whether a read gives chosen columns and not the row: `select(User.email)`, `values_list("email")`."""
    if any(COLUMNS_ONLY.match(each) for each in link.query):
        return True
    first = link.query[0] if link.query else ""
    selected = SELECTED.match(first)
    if selected:
        parts = [each.strip() for each in selected[1].split(",") if each.strip()]
        return bool(parts) and all("." in each or "(" in each or each.isdigit() for each in parts)
    columns = SQL_COLUMNS.match(first)
    return columns is not None and "*" not in columns[1]


def is_unique(link: Link) -> bool:
    """Whether the columns that a read compares tell one row: an id, a slug, `<entity>_id`; True when none is seen."""
    columns = {each for step in link.query for each in _columns(step)}
    entity = next((each.detail for each in link.effects if each.kind in {"db-read", "db-key-read"}), "")
    own = f"{snake(entity.rpartition('.')[2])}_id"
    return not columns or any(IDENTITY.match(each) or each == own for each in columns)


def _columns(step: str) -> Iterator[str]:
    if SQL_COLUMNS.match(step) or " WHERE " in step.upper():
        yield from (each.lower() for each in SQL_COMPARED.findall(step.partition("WHERE")[2]))
    elif FILTERS.match(step):
        inner = step.partition("(")[2]
        yield from COMPARED.findall(inner)
        yield from (each.rpartition("__")[2] if "__" in each else each for each in KEYWORDS.findall(inner))


def snake(name: str) -> str:
    """`OrderLine` as tables and columns write it: `order_line`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def key_chains(call: Call, link: Link) -> tuple[str, ...]:
    """What a read is keyed with, as chains: the values in its filters, or what is passed along with its SQL."""
    if link.key and any(each.kind == "db-key-read" for each in link.effects):
        return (link.key,)
    if link.query and BUILT.match(link.query[0]):
        filters = (each.partition("(")[2] for each in link.query if FILTERS.match(each))
        return tuple(dict.fromkeys(word for text in filters for word in chains_in(text)))
    arguments = call.arguments if not link.query else call.arguments[1:]
    return tuple(dict.fromkeys(name for each in arguments for name in (each.value.names or (each.value.text,))))


def chains_in(text: str) -> Iterator[str]:
    """Names and chains of an expression, without quoted texts and names of keyword arguments."""
    for match in WORD.finditer(text):
        if match[0][0] not in "'\"" and match[1] is None:
            yield match[0]
