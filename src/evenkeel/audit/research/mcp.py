"""A provider behind MCP: what the cache knows, then one conversation within a deadline that holds whatever hangs."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass

import httpx2
from mcp import Client, MCPError
from mcp.client.streamable_http import streamable_http_client
from mcp_types import Implementation

from evenkeel import __version__
from evenkeel.audit.model.briefing import Advice, Link, Page
from evenkeel.audit.research.answers import Cache, Kept
from evenkeel.audit.research.interview import Found, StoppedError, interview
from evenkeel.audit.research.provider import Answers, Failure, Question
from evenkeel.audit.research.stdio import running, streams

NAMED = Implementation(name="evenkeel", version=__version__)  # all that a server is told of its caller
CLOSING_S = 0.5  # of the deadline, kept for ending the connection

Opened = Callable[[], AbstractAsyncContextManager[Client]]
Opening = Callable[[], AbstractContextManager[Opened]]  # the outer part may block: it runs outside the loop


@dataclass(frozen=True, slots=True)
class Target:
    """A server and how to reach it. `identity` tells it from others in the cache, and holds no secret."""

    name: str
    identity: str
    opening: Opening
    library_page: str = ""  # `https://context7.com`: what stands before a library's id in the address of its page


class McpProvider:
    """Asks one server. `deadline_s`: seconds that the whole may take, connecting and closing included."""

    def __init__(self, target: Target, today: str, deadline_s: float, cache: Cache | None = None) -> None:
        self.name = target.name
        self._target, self._today, self._deadline_s, self._cache = target, today, deadline_s, cache

    def answer(self, questions: Sequence[Question]) -> Answers:
        """What the cache and the server know of the questions that have words."""
        for library in ("mcp", "httpx2", "httpcore2"):  # else their warnings, with addresses in them, go to stderr
            logging.getLogger(library).addHandler(logging.NullHandler())
        worded = [each for each in questions if each.title]
        kept = self._remembered(worded)
        open_questions = [each for each in worded if each not in kept]
        found, stopped = self._asked(open_questions) if open_questions else ({}, None)
        for question, passages in found.items():
            kept[question] = Kept(passages, self._today)
            if self._cache:
                self._cache.put(self._target.identity, question, kept[question])
        if self._cache and found:
            self._cache.trim()
        answered = tuple(each for each in worded if each in kept)
        return Answers(_pages(self.name, answered, kept), answered, self._note(stopped, open_questions, found))

    def _remembered(self, questions: Sequence[Question]) -> dict[Question, Kept]:
        if not self._cache:
            return {}
        pairs = ((each, self._cache.get(self._target.identity, each)) for each in questions)
        return {question: kept for question, kept in pairs if kept}

    def _asked(self, questions: Sequence[Question]) -> tuple[Found, StoppedError | None]:
        """Never longer than the deadline: what hangs even then is left to a thread that nobody waits for."""
        found: Found = {}
        stopped: list[StoppedError | None] = []
        talk = threading.Thread(
            target=lambda: stopped.append(self._conversation(questions, found)), daemon=True, name=f"ask-{self.name}"
        )
        talk.start()
        talk.join(self._deadline_s)
        return dict(found), stopped[0] if stopped else self._late()

    def _conversation(self, questions: Sequence[Question], found: Found) -> StoppedError | None:
        try:
            with self._target.opening() as opened:
                asyncio.run(self._talk(opened, questions, found))
        except Exception as error:  # whatever a server or the SDK does costs the answers, not the audit
            return self._cause(error)
        return None

    async def _talk(self, opened: Opened, questions: Sequence[Question], found: Found) -> None:
        async with asyncio.timeout(max(self._deadline_s - CLOSING_S, self._deadline_s / 2)), opened() as client:
            await interview(client, questions, found, lambda library: self._target.library_page + library)

    def _cause(self, error: BaseException) -> StoppedError:
        causes = list(_causes(error))
        known = next((each for each in causes if isinstance(each, StoppedError)), None)
        if known:
            return known
        for each in causes:
            if isinstance(each, TimeoutError):
                return self._late()
            if isinstance(each, httpx2.HTTPStatusError):
                return refused(each.response.status_code)
            if isinstance(each, httpx2.HTTPError):
                return StoppedError("offline", "could not be reached")
            if isinstance(each, FileNotFoundError | PermissionError):
                return StoppedError("unconfigured", "cannot be started: its program is not there, or not to be run")
            if isinstance(each, MCPError):
                return StoppedError("offline", "ended the connection")
        return StoppedError("offline", f"failed ({type(causes[0]).__name__})")

    def _late(self) -> StoppedError:
        return StoppedError("offline", f"did not answer within {self._deadline_s:g} s")

    def _note(self, stopped: StoppedError | None, asked: Sequence[Question], found: Found) -> str:
        if stopped is None:
            return f"{self.name} knows nothing about what it was asked" if asked and not found else ""
        before = f" after {len(found)} of {len(asked)} answers" if found else ""
        kind = "" if stopped.failure in stopped.words else f" ({stopped.failure})"
        return f"{self.name} {stopped.words}{before}{kind}, so it was not asked again"


def refused(status: int) -> StoppedError:
    """What an HTTP status of the server itself means."""
    kinds: dict[int, tuple[Failure, str]] = {
        401: ("unconfigured", "refused the key, or lacks one"),
        403: ("unconfigured", "refused the key, or lacks one"),
        404: ("unconfigured", "has no MCP server at its address"),
        429: ("rate-limited", "is rate-limited"),
    }
    return StoppedError(*kinds.get(status, ("offline", f"answered with HTTP status {status}")))


def stdio(command: Sequence[str], environment: Mapping[str, str]) -> Opening:
    """A server that is a program. `environment` is all that it gets."""

    @contextmanager
    def opening() -> Iterator[Opened]:
        with running(command, environment) as child:
            yield lambda: Client(streams(child), client_info=NAMED)

    return opening


def http(url: str, headers: Mapping[str, str], timeout_s: float) -> Opening:
    """A server at an address. Redirects to other places are not followed, so headers go nowhere else."""

    @asynccontextmanager
    async def connected() -> AsyncIterator[Client]:
        hooks = {"response": [_raise_refusal]}
        async with (
            httpx2.AsyncClient(headers=dict(headers), event_hooks=hooks, timeout=timeout_s) as transport,
            Client(
                streamable_http_client(url, http_client=transport, terminate_on_close=False), client_info=NAMED
            ) as client,
        ):
            yield client

    @contextmanager
    def opening() -> Iterator[Opened]:
        yield connected

    return opening


async def _raise_refusal(response: httpx2.Response) -> None:
    if response.status_code in {401, 403, 429} or response.status_code >= 500:
        raise httpx2.HTTPStatusError("refused", request=response.request, response=response)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The errors in an exception group, or the error itself, and what each was raised from."""
    if isinstance(error, BaseExceptionGroup):
        for each in error.exceptions:
            yield from _causes(each)
        return
    yield error
    if error.__cause__ is not None:
        yield from _causes(error.__cause__)


def _pages(name: str, answered: Sequence[Question], kept: Mapping[Question, Kept]) -> tuple[Page, ...]:
    """A page for every technology and day."""
    groups: dict[tuple[str, str], list[Question]] = {}
    for each in answered:
        groups.setdefault((each.technology, kept[each].retrieved), []).append(each)
    return tuple(
        Page(technology, each[0].title, name, tuple(_advice(question, kept[question]) for question in each),
             refreshed=True, retrieved=day)
        for (technology, day), each in groups.items()
    )  # fmt: skip


def _advice(question: Question, kept: Kept) -> Advice:
    first, *others = kept.passages
    more = tuple(Link(each.title, each.url) for each in others)
    return Advice(question.topic, first.text, first.title, first.url, more)
