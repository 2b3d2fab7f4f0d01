"""Which process links which files."""

from __future__ import annotations

from evenkeel.audit.model.tables import Blobs

NEIGHBOURS = 24  # files that one process links together: neighbours import one another
COPYING = 0.03  # of all the work: what a forked process spends beside its share, on copying the memory it looks at


def shares(facts: Blobs, jobs: int) -> list[list[int]]:
    """Files for each process, this one first: neighbours together, and about the same amount of work for all."""
    groups = [range(each, min(each + NEIGHBOURS, len(facts))) for each in range(0, len(facts), NEIGHBOURS)]
    weights = {each: sum(facts.size_of(file) for file in each) for each in groups}
    found: list[list[int]] = [[] for _ in range(jobs)]
    loads = [0.0, *[COPYING * facts.size] * (jobs - 1)]
    for group in sorted(groups, key=lambda each: -weights[each]):
        lightest = loads.index(min(loads))
        found[lightest].extend(group)
        loads[lightest] += weights[group]
    return [sorted(each) for each in found if each]
