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
from dataclasses import dataclass

from evenkeel.audit.model.finding import Finding
from evenkeel.audit.model.profile import Decision

_IN_FORCE = ("accepted", "approved", "adopted", "agreed", "implemented", "planned", "plan", "active")
_FORBIDS = re.compile(
    r"\b(avoid\w*|never|forbid\w*|prohibit\w*|ban|banned|(must|may|shall|should|do) not|don't|no)\b",
    re.IGNORECASE,
)
_FILE = re.compile(r"[\w./-]*\w\.(?:pyi?|rs|tsx?|jsx?|mjs|cjs|go|sql)\b")
_SENTENCE = re.compile(r"(?<=[.!?;])\s+|\n+")
_HEADING = re.compile(r"^(#{1,6}[ \t].*)$", re.MULTILINE)
_NOT_CHOSEN = re.compile(r"alternative|considered|rejected|options", re.IGNORECASE)
_WORD = re.compile(r"[a-z]{4,}")
_PLACE_WORDS_NEEDED = 2
_DULL = frozenset(
    """
    __init__ main core base util utils helper helpers common index init service services handler handlers router
    routers route routes view views model models test tests module function async await with from this that into
    over have keep long when then than they session sessions database transaction transactions query queries
    loop loops call calls open request requests work time file files data list update updates read write commit
    lock table rows each inside
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


@dataclass(frozen=True, slots=True)
class Excuse:
    """A decision in force, as far as it speaks of one rule."""

    decision: Decision
    sentences: tuple[str, ...]  # those that say the rule's idea and do not forbid it
    names_rule: bool  # by its slug
    in_title: bool  # the title says the idea
    files: tuple[str, ...]  # every source file that the decision names


def excuses(rule: str, decisions: Iterable[Decision]) -> tuple[Excuse, ...]:
    """The decisions in force that speak of a rule. Reading them costs time, so this is done once for each rule."""
    found = (_read(rule, each) for each in decisions if in_force(each))
    return tuple(each for each in found if each.sentences or each.names_rule)


def covering_decision(
    finding: Finding, candidates: Iterable[Excuse], technologies: frozenset[str] = frozenset()
) -> Decision | None:
    """The first decision that covers the finding. `candidates`: the excuses of its rule; `technologies`: canonical
    names in use, lower case."""
    return next((each.decision for each in candidates if covers(each, finding, technologies)), None)


def label(decision: Decision) -> str:
    """How an advisory names it: `Planned: ADR-12`, or by title when it has no number."""
    return f"Planned: ADR-{decision.number}" if decision.number else f"Planned: {decision.title}"


def in_force(decision: Decision) -> bool:
    """Accepted, or a plan. Superseded, rejected, deprecated and merely proposed ones are not."""
    words = re.findall(r"[a-z]+", decision.status.lower())
    return bool(words) and words[0] in _IN_FORCE and not {"superseded", "rejected", "deprecated"} & set(words)


def covers(excuse: Excuse, finding: Finding, technologies: frozenset[str]) -> bool:
    """Whether this decision is about this fault in this place."""
    alone = bool(excuse.files) and all(_is_place(each, finding) for each in excuse.files)
    if excuse.names_rule and (alone or not excuse.files):
        return True
    if any(alone or _names_place(each, finding) for each in excuse.sentences):
        return True
    return excuse.in_title and _title_fits(excuse.decision.title, finding, technologies)


def _read(rule: str, decision: Decision) -> Excuse:
    sentences = [decision.title, *_SENTENCE.split(_without_alternatives(decision.text))]
    allowed = [each for each in sentences if not _FORBIDS.search(each)]
    slug = re.compile(rf"(?<![\w-]){re.escape(rule)}(?![\w-])")
    return Excuse(
        decision=decision,
        sentences=tuple(each for each in allowed if _says_idea(each, rule)),
        names_rule=any(slug.search(each) for each in allowed),
        in_title=decision.title in allowed and _says_idea(decision.title, rule),
        files=tuple(dict.fromkeys(_FILE.findall("\n".join(sentences)))),
    )


def _without_alternatives(text: str) -> str:
    """The text without the sections on what was considered and not chosen."""
    parts = _HEADING.split(text)
    kept = [parts[0]]
    for heading, body in zip(parts[1::2], parts[2::2], strict=True):
        if not _NOT_CHOSEN.search(heading):
            kept += [heading, body]
    return "\n".join(kept)


def _names_place(sentence: str, finding: Finding) -> bool:
    if any(_is_place(each, finding) for each in _FILE.findall(sentence)):
        return True
    short = ".".join(finding.function.split(".")[-2:])
    return any(name in sentence for name in (finding.function, short) if "." in name and "<" not in name)


def _is_place(file: str, finding: Finding) -> bool:
    """Whether a file that is named is the finding's. A bare name that many folders have is not enough."""
    named = file.removeprefix("./")
    if finding.file == named:
        return True
    common = "/" not in named and named.partition(".")[0] in _DULL
    return finding.file.endswith(f"/{named}") and not common


def _says_idea(sentence: str, rule: str) -> bool:
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
