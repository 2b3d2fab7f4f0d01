"""Does a recorded decision cover a finding? What is not clearly about this fault, in this place, does not count.

A decision covers a finding when it is in force and either

- names the rule by its slug, and no other file than the finding's own; or
- says the rule's idea in a sentence that names the finding's file or function, or anywhere when it names no other
  file; or
- says the rule's idea in its title, and shares with the finding a technology, or two telling words of its place.

A sentence that forbids the idea ("avoid long transactions") is a standard the finding breaks, not a plan for it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from evenkeel.audit.model.finding import Finding
from evenkeel.audit.model.profile import Decision

_IN_FORCE = ("accepted", "approved", "adopted", "agreed", "implemented", "planned", "plan", "active")
_FORBIDS = re.compile(
    r"\b(avoid\w*|never|forbid\w*|prohibit\w*|ban|banned|(must|may|shall|should|do) not|don't|no)\b",
    re.IGNORECASE,
)
_FILE = re.compile(r"[\w./-]*\w\.(?:pyi?|rs|tsx?|jsx?|mjs|cjs|go|sql)\b")
_SENTENCE = re.compile(r"(?<=[.!?;])\s+|\n+")
_WORD = re.compile(r"[a-z]{4,}")
_PLACE_WORDS_NEEDED = 2
_DULL = frozenset(
    """
    main core base util utils helper helpers common index init service services handler handlers router routers route
    routes view views model models test tests module function async await with from this that into over have keep long
    when then than they session sessions database transaction transactions query queries loop loops call calls open
    request requests work time file files data list update updates read write commit lock table rows each inside
    """.split()  # noqa: SIM905 - a word list reads better as words
)
_TECHNOLOGY_WORDS = frozenset({"listen", "notify"})

# Stems that say a rule's idea. Each alternative is a set of stems that must all begin a word of the same sentence.
_IDEAS: dict[str, tuple[frozenset[str], ...]] = {
    slug: tuple(frozenset(alternative.split()) for alternative in ideas.split("|"))
    for slug, ideas in {
        "redundant-fetch": "redundant fetch|reload entit|fetch twice|fetch again|re-fetch|refetch",
        "n-plus-one": "n+1|query per|lazy load|quer loop",
        "n-write-loop": "update per|update loop|delete per|delete loop|row by row",
        "unnecessary-resolve": "resolve again|look again|lookup again",
        "over-fetching": "over-fetch|overfetch|whole entit|select *|full entit|all columns",
        "missing-bulk": "insert per|insert loop|bulk insert|row by row",
        "wrong-cache-scope": "cache request|cache scope",
        "db-poll-loop": "poll",
        "count-in-hot-path": "count admission|count request|count lock|count(*)",
        "cleanup-in-write-path": "cleanup write|expir write|expir lock|clean-up write|delete expir",
        "per-event-write": "write per event|write event|row per event|store each event",
        "missing-intermediate-commit": "single commit|one commit|commit end|one transact|single transact",
        "wide-transaction": "long transact|wide transact|transact across|transact during|transact http|one transact",
        "narrow-transaction": "separate commit|separate transact|two commit|two transact|eventual consisten|not atomic",
        "missing-rollback": "rollback",
        "long-transaction": "long transact|long-running transact|transact across|transact during|one transact",
        "session-across-stream": "session stream|connection stream|session websocket|connection websocket|session sse",
        "unclosed-connection": "unclosed connect|connect open|leak connect|keep connect",
        "unclaimed-queue-read": "claim|skip locked|single worker|one worker|single consumer|single instance",
        "blocking-io-in-async": "block i/o|block io|block call|block loop|block event|sync i/o|sync io|synchronous",
        "sync-sleep-in-async": "sleep",
        "cpu-bound-in-async": "cpu loop|hash loop|inline hash|cpu inline|cpu event|hash event",
        "per-call-offload": "thread hop|thread pool|to_thread|executor|threadpool",
        "list-allocation": "list allocat",
        "string-concat-loop": "string concat",
        "redundant-copy": "deepcopy|deep copy|redundant cop|defensive cop",
        "unbounded-spawn": "unbounded|task per|spawn",
        "sequential-await-loop": "sequential|one by one|serial send",
        "sync-fallback-on-full-queue": "queue full|full queue|synchronous fall",
        "cancel-by-polling": "cancel poll",
        "unbounded-map": "unbounded|grow|never evict",
        "lock-across-await": "lock across|lock await|hold lock",
    }.items()
}


def covering_decision(
    finding: Finding, decisions: Iterable[Decision], technologies: frozenset[str] = frozenset()
) -> Decision | None:
    """The first decision in force that covers the finding. `technologies`: canonical names in use, lower case."""
    return next((each for each in decisions if in_force(each) and covers(each, finding, technologies)), None)


def label(decision: Decision) -> str:
    """How an advisory names it: `Planned: ADR-12`, or by title when it has no number."""
    return f"Planned: ADR-{decision.number}" if decision.number else f"Planned: {decision.title}"


def in_force(decision: Decision) -> bool:
    """Accepted, or a plan. Superseded, rejected, deprecated and merely proposed ones are not."""
    words = re.findall(r"[a-z]+", decision.status.lower())
    return bool(words) and words[0] in _IN_FORCE and not {"superseded", "rejected", "deprecated"} & set(words)


def covers(decision: Decision, finding: Finding, technologies: frozenset[str]) -> bool:
    """Whether this decision is about this fault in this place."""
    text = f"{decision.title}\n{decision.text}"
    if _names_rule(text, finding) and (_names_place(text, finding) or not _FILE.search(text)):
        return True
    if any(_says_idea(each, finding.rule) for each in _about_place(text, finding)):
        return True
    return _says_idea(decision.title, finding.rule) and _title_fits(decision.title, finding, technologies)


def _names_rule(text: str, finding: Finding) -> bool:
    pattern = re.compile(rf"(?<![\w-]){re.escape(finding.rule)}(?![\w-])")
    return any(pattern.search(each) and not _FORBIDS.search(each) for each in _SENTENCE.split(text))


def _about_place(text: str, finding: Finding) -> list[str]:
    """The sentences about the finding's place: those that name it, or all when the text names no other file."""
    sentences = _SENTENCE.split(text)
    named = [each for each in sentences if _names_place(each, finding)]
    alone = named and all(_names_place(each, finding) for each in _FILE.findall(text))
    return sentences if alone else named


def _names_place(text: str, finding: Finding) -> bool:
    mentioned = {each.removeprefix("./") for each in _FILE.findall(text)}
    if any(finding.file == each or finding.file.endswith(f"/{each}") for each in mentioned):
        return True
    short = ".".join(finding.function.split(".")[-2:])
    return any(name in text for name in (finding.function, short) if "." in name and "<" not in name)


def _says_idea(sentence: str, rule: str) -> bool:
    if _FORBIDS.search(sentence):
        return False
    words = re.findall(r"[\w+*()/-]+", sentence.lower())
    return any(all(_begins(stem, words) for stem in idea) for idea in _IDEAS.get(rule, ()))


def _begins(stem: str, words: list[str]) -> bool:
    return any(word.startswith(stem) for word in words)


def _title_fits(title: str, finding: Finding, technologies: frozenset[str]) -> bool:
    said = set(re.findall(r"[a-z0-9]+", title.lower()))
    judged = set(re.findall(r"[a-z0-9]+", f"{finding.issue} {finding.recommendation}".lower()))
    if said & judged & (technologies | _TECHNOLOGY_WORDS):
        return True
    place = set(_WORD.findall(f"{finding.file} {finding.function}".lower().replace("_", " "))) - _DULL
    return len(said & place) >= _PLACE_WORDS_NEEDED
