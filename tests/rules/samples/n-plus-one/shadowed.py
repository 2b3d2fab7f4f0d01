"""A loop that takes a name for its elements: what had the name before is not meant inside."""

from collections import defaultdict

from django.db import models


class Branch(models.Model):
    slug = models.CharField(max_length=80)
    trial = models.CharField(max_length=80)


def choices() -> list[str]:
    slugs = Branch.objects.values_list("trial", "slug")
    by_trial = defaultdict(list)
    for trial, slug in slugs:
        by_trial[trial].append(slug)
    found = []
    for trial, slugs in sorted(by_trial.items()):
        found.append(trial)
        for slug in sorted(slugs):
            found.append(slug)
    return found


def branches(trials: list[str]) -> list[str]:
    found = []
    for trial in trials:
        rows = Branch.objects.filter(trial=trial)
        found.extend(row.slug for row in sorted(rows))  # flagged
    return found
