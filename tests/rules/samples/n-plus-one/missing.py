from django.db import models


class Remote(models.Model):
    url = models.TextField()


class Unreachable(Exception): ...


class Artifact(models.Model):
    remote_id = models.IntegerField()

    def ask(self) -> str: ...


def remotes(artifacts: list[Artifact]) -> list[Remote]:
    """Not there yet is no error: each new key costs a query."""
    seen: dict[int, Remote] = {}
    found = []
    for artifact in artifacts:
        try:
            remote = seen[artifact.remote_id]
        except KeyError:
            remote = Remote.objects.get(pk=artifact.remote_id)  # flagged
            seen[artifact.remote_id] = remote
        found.append(remote)
    return found


def answers(artifacts: list[Artifact]) -> list[str]:
    found = []
    for artifact in artifacts:
        try:
            found.append(artifact.ask())
        except Unreachable:
            found.append(Remote.objects.get(pk=artifact.remote_id).url)
    return found
