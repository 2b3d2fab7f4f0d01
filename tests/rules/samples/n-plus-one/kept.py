from django.apps import apps
from django.db import models


class Remote(models.Model):
    url = models.TextField()


class Artifact(models.Model):
    remote_id = models.IntegerField()


def remotes(artifacts: list[Artifact]) -> list[Remote]:
    """One query for each different remote: nothing tells how many there are."""
    seen: dict[int, Remote] = {}
    found = []
    for artifact in artifacts:
        if artifact.remote_id not in seen:
            seen[artifact.remote_id] = Remote.objects.get(pk=artifact.remote_id)
        found.append(seen[artifact.remote_id])
    return found


def remotes_each(keys: list[int]) -> list[Remote]:
    found = []
    for key in keys:
        found.append(Remote.objects.get(pk=key))  # flagged
    return found


def sizes() -> list[int]:
    found = []
    for model in apps.get_models():
        found.append(model.objects.count())
    return found


def remotes_of_rows(rows: list[tuple[str, int]]) -> list[Remote]:
    seen: dict[int, Remote] = {}
    found = []
    for _, remote_id in rows:
        if remote_id not in seen:
            seen[remote_id] = Remote.objects.get(pk=remote_id)
        found.append(seen[remote_id])
    return found


def remotes_of_dicts(rows: list[dict[str, int]]) -> list[Remote]:
    seen: dict[int, Remote] = {}
    found = []
    for row in rows:
        key = row["remote"]
        if key not in seen:
            seen[key] = Remote.objects.get(pk=key)
        found.append(seen[key])
    return found


def remotes_missing(keys: list[int], known: dict[int, Remote], named: dict[int, str]) -> None:
    """Elements, and the keys of a map, are all different."""
    for key in keys:
        if key not in known:
            known[key] = Remote.objects.get(pk=key)  # flagged
    for key, _ in named.items():
        if key not in known:
            known[key] = Remote.objects.get(pk=key)  # flagged
