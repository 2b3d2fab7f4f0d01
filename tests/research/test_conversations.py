"""Each generation of tools is understood, each failure recognised, and a server that failed is left in peace."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError

from evenkeel.audit.model.profile import Profile, Technology
from evenkeel.audit.research import Handbook, research, sources
from tests.research import servers
from tests.research.servers import Calls, provider

PROFILE = Profile(
    root=".",
    technologies=(
        Technology("sqlalchemy", "orm"),
        Technology("postgresql", "database"),
        Technology("in-house-thing", "orm"),
    ),
)
GENERATIONS = [servers.first_generation, servers.second_generation, servers.third_generation]
Make = Callable[[Calls], MCPServer]


@pytest.fixture
def calls() -> Calls:
    return Calls()


@pytest.mark.parametrize("make", GENERATIONS)
def test_every_generation_answers(make: Make, calls: Calls) -> None:
    briefing = research(PROFILE, (provider(make, calls), Handbook()))
    assert [(each.technology, each.provider) for each in briefing.pages] == [
        ("sqlalchemy", "context7"),
        ("postgresql", "handbook"),  # the lookup does not know it: what it found is not called so
    ]
    page = briefing.pages[0]
    assert [each.topic for each in page.advice] == [
        "session-lifecycle", "expire_on_commit", "bulk-dml", "relationship-loading",
    ]  # fmt: skip
    assert page.advice[0].url == "https://docs.sqlalchemy.org/en/20/orm/session_basics.html"
    assert "One session per request" in page.advice[0].text
    assert "```" not in page.advice[0].text
    assert (page.refreshed, page.retrieved) == (True, servers.TODAY)
    assert briefing.notes == ()


@pytest.mark.parametrize("make", GENERATIONS)
def test_each_technology_and_each_topic_is_asked_once(make: Make, calls: Calls) -> None:
    research(PROFILE, (provider(make, calls),))
    assert [each["libraryName"] for each in calls.of("lookup")] == ["SQLAlchemy", "PostgreSQL"]
    asked = [tuple(sorted(each.items())) for each in calls.of("documents")]
    assert len(asked) == len(set(asked)) == 4
    assert all("/sqlalchemy/sqlalchemy" in dict(each).values() for each in asked)


def test_pieces_without_a_page_of_their_own_point_at_the_librarys(calls: Calls) -> None:
    briefing = research(PROFILE, (provider(servers.first_generation, calls),))
    assert [each.url for each in briefing.pages[0].advice[0].more] == ["https://context7.com/sqlalchemy/sqlalchemy"]
    assert "https://context7.com/sqlalchemy/sqlalchemy" in {each.url for each in sources(briefing.pages)}


def test_a_search_needs_no_lookup(calls: Calls) -> None:
    briefing = research(PROFILE, (provider(servers.ref, calls, name="ref"),))
    assert {each.technology for each in briefing.pages} == {"sqlalchemy", "postgresql"}
    assert len(calls.of("documents")) == 8
    assert {"query": "SQLAlchemy session lifecycle"} in calls.of("documents")
    assert not calls.of("read")


FAILURES = [
    ("Error searching libraries: TypeError: fetch failed", "could not reach its own service"),
    (
        "Error fetching library context. Please try again later. TypeError: fetch failed",
        "could not reach its own service",
    ),
    ("Error during documentation search: connect ECONNREFUSED 127.0.0.1:9", "could not reach its own service"),
    ("Failed to fetch documentation. Please try again later. Error code: 500", "could not reach its own service"),
    ("Request failed with status 503. Please try again later.", "could not reach its own service"),
    (
        "Rate limited or quota exceeded. Create a free API key at https://context7.com/dashboard for higher limits.",
        "is rate-limited",
    ),
    ("Rate limited due to too many requests. Please try again later.", "is rate-limited"),
    ("Error during documentation search: Request failed with status code 429", "is rate-limited"),
    ("Monthly quota exceeded: https://context7.com/plans", "is rate-limited"),
    (
        "Invalid API key. Please check your API key. API keys should start with 'ctx7sk' prefix.",
        "refused the key, or lacks one",
    ),
    (
        "Unauthorized. Please check your API key. The API key you provided (possibly incorrect) is: ctx7sk-SECRET.",
        "refused the key, or lacks one",
    ),
    ("Ref is not correctly configured. Reach out to hello@ref.tools for help.", "refused the key, or lacks one"),
    (
        "Please verify your email at https://ref.tools/dashboard to search documentation",
        "refused the key, or lacks one",
    ),
]


@pytest.mark.parametrize(("text", "words"), FAILURES)
@pytest.mark.parametrize("make", [servers.third_generation, servers.ref])
def test_a_failure_that_looks_like_success_ends_the_conversation(
    make: Make, calls: Calls, text: str, words: str
) -> None:
    calls.failure = text
    briefing = research(PROFILE, (provider(make, calls), Handbook()))
    assert len(calls.seen) == 1, "a provider that failed is not asked again"
    assert {each.provider for each in briefing.pages} == {"handbook"}
    (note,) = briefing.notes
    assert note.startswith(f"context7 {words}")
    assert "not asked again" in note
    assert "SECRET" not in note, "the server's own words are never repeated"


EMPTY = [
    "No documentation libraries found matching your query.",
    "No libraries found matching the provided name.",
    "Documentation not found or not finalized for this library. This might have happened because you used an invalid ID.",
    "No results found",
    "No code documentation available for this library. Try mode='info' for guides and tutorials.",
    "The library you are trying to access does not exist. Please try with a different library ID.",
    "A sentence that nobody has seen before, with an address: https://example.org/",
    "",
]


@pytest.mark.parametrize("text", EMPTY)
@pytest.mark.parametrize("make", [servers.third_generation, servers.ref])
def test_an_empty_answer_is_no_failure(make: Make, calls: Calls, text: str) -> None:
    calls.failure = text or " "
    briefing = research(PROFILE, (provider(make, calls), Handbook()))
    assert len(calls.seen) > 1
    assert {each.provider for each in briefing.pages} == {"handbook"}
    assert briefing.notes == ("context7 knows nothing about what it was asked",)


def test_documentation_about_rate_limits_is_documentation(calls: Calls) -> None:
    calls.failure = (
        f"### Rate limit\n\nSource: https://example.org/limits\n\nError 429 means too many requests.\n{'-' * 32}\n"
    )
    briefing = research(PROFILE, (provider(servers.ref, calls),))
    assert len(briefing.pages) == 2
    assert briefing.pages[0].advice[0].title == "Rate limit"


def test_a_server_without_such_tools_is_told(calls: Calls) -> None:
    briefing = research(PROFILE, (provider(servers.calculator, calls), Handbook()))
    assert briefing.notes == (
        "context7 offers no tool that finds documentation (unconfigured), so it was not asked again",
    )


def test_an_error_that_is_called_one_ends_it_too(calls: Calls) -> None:
    server = MCPServer("Ref")

    @server.tool(structured_output=False)
    def search_docs(query: str) -> str:
        calls.seen.append(("documents", {"query": query}))
        raise ToolError("Too many requests")

    briefing = research(PROFILE, (provider(lambda _: server, calls),))
    assert len(calls.seen) == 1
    assert briefing.notes == ("context7 is rate-limited, so it was not asked again",)
    assert briefing.unanswered == ("sqlalchemy", "postgresql", "in-house-thing")


def test_a_failure_half_way_keeps_what_came_before(calls: Calls) -> None:
    server = MCPServer("Ref")

    @server.tool(structured_output=False)
    def search_docs(query: str) -> str:
        calls.seen.append(("documents", {"query": query}))
        return servers.SNIPPETS if len(calls.seen) == 1 else "Rate limited or quota exceeded."

    briefing = research(PROFILE, (provider(lambda _: server, calls), Handbook()))
    assert [(each.provider, len(each.advice)) for each in briefing.pages[:1]] == [("context7", 1)]
    assert "after 1 of 8 answers" in briefing.notes[0]
    assert len(calls.seen) <= 1 + 4, "those under way may come back; no others are sent"


def test_what_one_leaves_open_the_next_is_asked(calls: Calls) -> None:
    calls.failure = "No documentation libraries found matching your query."
    second = Calls()
    chain = (provider(servers.third_generation, calls), provider(servers.ref, second, name="ref"), Handbook())
    briefing = research(PROFILE, chain)
    assert {each.provider for each in briefing.pages} == {"ref"}
    third = Calls()
    research(PROFILE, (provider(servers.third_generation, Calls()), provider(servers.ref, third, name="ref")))
    assert all(each["query"].startswith("PostgreSQL") for each in third.of("documents")), "the rest alone"


def test_what_a_server_writes_cannot_act_on_the_reader(calls: Calls) -> None:
    calls.failure = (
        "### Evil\x1b[31m\n::error::x\n\nSource: https://example.org/a\n\n<script>\x00</script>\n" + "x " * 5000
    )
    briefing = research(PROFILE, (provider(servers.ref, calls),))
    advice = briefing.pages[0].advice[0]
    assert "\x1b" not in advice.title + advice.text
    assert "\n" not in advice.title + advice.text
    assert len(advice.text) < 410
    calls.failure = "### Evil\n\nSource: javascript:alert(1)\n\n[x](https://user:pw@example.org)\n"
    assert research(PROFILE, (provider(servers.ref, calls),)).pages == ()


def test_answers_are_kept_with_their_day(calls: Calls, tmp_path: Path) -> None:
    first = research(PROFILE, (provider(servers.ref, calls, tmp_path),))
    asked = len(calls.seen)
    later = research(PROFILE, (provider(servers.ref, calls, tmp_path, "2026-02-20"),))
    assert len(calls.seen) == asked
    assert later == first
    assert {each.retrieved for each in later.pages} == {servers.TODAY}
    research(PROFILE, (provider(servers.ref, calls, tmp_path, "2026-03-20"),))
    assert len(calls.seen) == 2 * asked, "after thirty days they are asked for again"


def test_what_is_kept_is_bounded_and_may_be_broken(calls: Calls, tmp_path: Path) -> None:
    for number in range(600):
        (tmp_path / f"{number:032}.json").write_text("{")
    research(PROFILE, (provider(servers.ref, calls, tmp_path),))
    assert len(list(tmp_path.glob("*.json"))) == 500
    for each in tmp_path.glob("*.json"):
        each.write_bytes(b"\xff")
    assert research(PROFILE, (provider(servers.ref, calls, tmp_path),)).pages


def test_failures_are_not_kept(calls: Calls, tmp_path: Path) -> None:
    calls.failure = "Rate limited or quota exceeded."
    research(PROFILE, (provider(servers.ref, calls, tmp_path),))
    calls.failure = ""
    assert research(PROFILE, (provider(servers.ref, calls, tmp_path),)).pages
