"""Which rules a run asks for, by the names that people give: slugs and categories. A name that is neither is refused."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

import pathspec
from pathspec.patterns.gitignore import GitIgnorePatternError

from evenkeel.audit.model.finding import CATEGORIES, Gap
from evenkeel.audit.model.result import CategoryResult
from evenkeel.audit.model.settings import AuditSettings
from evenkeel.audit.rules import categories_of_rules
from evenkeel.kernel.errors import ConfigurationError, UsageError


def slugs_of(names: Iterable[str], where: str = "") -> frozenset[str]:
    """Slugs for slugs and categories. Raises UsageError for a name that is neither; `where` is put before it."""
    rules = categories_of_rules()
    by_name = {slug: {slug} for slug in rules}
    for category, _, _ in CATEGORIES:
        by_name[category] = {slug for slug, its in rules.items() if its == category}
    wanted = list(names)
    unknown = [each for each in wanted if each not in by_name]
    if unknown:
        close = difflib.get_close_matches(unknown[0], by_name, n=1)
        hint = f"Did you mean {close[0]}?" if close else "`evenkeel rules` lists them."
        raise UsageError(f"{where}There is no rule or category {unknown[0]!r}.", hint=hint)
    return frozenset(slug for name in wanted for slug in by_name[name])


def per_file(settings: AuditSettings) -> dict[str, frozenset[str]]:
    """`per-file-ignores` with slugs for names. Raises UsageError for an unknown name, ConfigurationError for a pattern
    that git would refuse; both name the setting."""
    found = {}
    for pattern, names in settings.per_file_ignores.items():
        where = f"per-file-ignores, {pattern!r}: "
        try:
            pathspec.GitIgnoreSpec.from_lines([pattern])
        except GitIgnorePatternError:
            raise ConfigurationError(f"{where}not a pattern.", hint="Write it as in a .gitignore.") from None
        found[pattern] = slugs_of(names, where)
    return found


def judged_slugs(settings: AuditSettings, categories: Iterable[CategoryResult], gaps: Iterable[Gap]) -> frozenset[str]:
    """The rules that were run over every file: selected, of a worker that finished, and without a crash."""
    crashed = {each.what for each in gaps if each.kind == "crashed-rule"}
    workers = {each.worker for each in categories if each.status == "completed"}
    rules = categories_of_rules()
    chosen = slugs_of(settings.select) or set(rules)
    ran = {slug for slug, category in rules.items() if category in workers}
    return frozenset(ran & chosen - slugs_of(settings.ignore) - crashed)
