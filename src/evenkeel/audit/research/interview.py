"""One conversation with one MCP server: list its tools, ask the questions, stop at the first failure.

The first question goes alone, so that a service that refuses is asked no more than once; the others go together.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Iterable, Sequence
from typing import TypeVar

from mcp import Client, MCPError

from evenkeel.audit.research import reading, tools
from evenkeel.audit.research.provider import Failure, Question
from evenkeel.audit.research.reading import Kind, Library, Passage, Reading
from evenkeel.audit.research.tools import Arguments, Plan, Tool

AT_ONCE = 4  # questions under way
MAX_PAGES = 5  # of the list of tools
T = TypeVar("T", bound=Hashable)

Found = dict[Question, tuple[Passage, ...]]


class StoppedError(Exception):
    """The server cannot be asked any more. `words` says why, for the report; never in the server's own words."""

    def __init__(self, failure: Failure, words: str) -> None:
        super().__init__(words)
        self.failure, self.words = failure, words


async def interview(client: Client, questions: Sequence[Question], found: Found, page_of: Callable[[str], str]) -> None:
    """Fill `found` with what the server knows, answer by answer. Raises StoppedError.

    `page_of`: the address of a library's page, for pieces of documentation that name none."""
    plan = tools.plan_of(await _listed(client))
    if plan is None:
        raise StoppedError("unconfigured", "offers no tool that finds documentation")
    libraries = await _libraries(client, plan, questions)

    async def ask(question: Question) -> None:
        library = libraries.get(question.technology)
        if plan.lookup is not None and library is None:
            return
        identity = library.id if library else ""
        arguments = tools.document_arguments(plan.documents, question, identity)
        texts = await _called(client, plan.documents.name, arguments)
        got = reading.read_documentation(texts, page_of(identity) if identity else "")
        if _usable(got):
            found[question] = got.passages

    await _first_alone(questions, ask)


async def _libraries(client: Client, plan: Plan, questions: Iterable[Question]) -> dict[str, Library]:
    """technology -> its library, for servers that want one; each technology is looked up once."""
    found: dict[str, Library] = {}
    lookup = plan.lookup
    if lookup is None:
        return found

    async def look_up(question: Question) -> None:
        texts = await _called(client, lookup.name, tools.lookup_arguments(lookup, question))
        library = reading.read_libraries("\n".join(texts), question.title)
        if isinstance(library, Library):
            found[question.technology] = library
        else:
            _usable(Reading(library))

    one_each: dict[str, Question] = {}
    for each in questions:
        one_each.setdefault(each.technology, each)
    await _first_alone(list(one_each.values()), look_up)
    return found


async def _listed(client: Client) -> list[Tool]:
    listed: list[Tool] = []
    cursor: str | None = None
    for _ in range(MAX_PAGES):
        page = await client.list_tools(cursor=cursor)
        listed += [tools.tool(each.name, each.input_schema) for each in page.tools]
        cursor = page.next_cursor
        if not cursor:
            break
    return listed


async def _called(client: Client, name: str, arguments: Arguments) -> list[str]:
    """The texts of a result. Raises StoppedError when the call itself is refused."""
    try:
        result = await client.call_tool(name, arguments)
    except MCPError as error:
        raise StoppedError("offline", f"failed when asked (code {error.code})") from error
    texts = [each.text for each in result.content if each.type == "text"]
    if result.is_error:
        kind = reading.failure_of("\n".join(texts))
        raise StoppedError(*_WORDS.get(kind, ("offline", "failed when asked")))
    return texts


_WORDS: dict[Kind, tuple[Failure, str]] = {
    "rate-limited": ("rate-limited", "is rate-limited"),
    "unconfigured": ("unconfigured", "refused the key, or lacks one"),
    "offline": ("offline", "could not reach its own service"),
}


def _usable(got: Reading) -> bool:
    """Whether there is an answer. Raises StoppedError when the text was a failure and not an answer."""
    if got.kind in _WORDS:
        raise StoppedError(*_WORDS[got.kind])
    return got.kind == "ok"


async def _first_alone(items: Sequence[T], ask: Callable[[T], Awaitable[None]]) -> None:
    turn = asyncio.Semaphore(AT_ONCE)

    async def in_turn(item: T) -> None:
        async with turn:
            await ask(item)

    for first in items[:1]:
        await ask(first)
    async with asyncio.TaskGroup() as group:
        for item in items[1:]:
            group.create_task(in_turn(item))
