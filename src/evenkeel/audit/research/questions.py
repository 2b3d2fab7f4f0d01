"""What is asked: for each technology in the profile, its topics from `topics.toml`, and nothing that stands elsewhere."""

from __future__ import annotations

import tomllib
from importlib import resources

import msgspec

from evenkeel.audit.model.profile import Profile, Technology
from evenkeel.audit.research.provider import Question

MOST = 60  # questions a run; a profile with more technologies asks about the first ones
NOT_ASKED = frozenset({"language"})  # roles about which there is nothing to ask


class _Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    title: str
    topics: dict[str, str] = {}


class _Topics(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    roles: dict[str, dict[str, str]]
    technologies: dict[str, _Entry]


def questions(profile: Profile) -> tuple[Question, ...]:
    """At least one question a technology, in the order of the profile; at most `MOST` have words to be sent."""
    known, left, found = read_topics(), MOST, list[Question]()
    for each in profile.technologies:
        if each.role in NOT_ASKED:
            continue
        asked = _of(each, known)
        if len(asked) > left:
            asked = [Question(each.name, "")]
        left -= sum(bool(question.title) for question in asked)
        found += asked
    return tuple(dict.fromkeys(found))


def read_topics() -> _Topics:
    """The file that ships."""
    text = (resources.files("evenkeel.audit.research") / "topics.toml").read_text(encoding="utf-8")
    return msgspec.convert(tomllib.loads(text), _Topics)


def _of(technology: Technology, known: _Topics) -> list[Question]:
    entry = known.technologies.get(technology.name)
    if entry is None:
        return [Question(technology.name, "")]
    topics = entry.topics or known.roles.get(technology.role, {})
    if not topics:
        return [Question(technology.name, "")]
    return [Question(technology.name, entry.title, topic, words) for topic, words in topics.items()]
