"""Of a relation, what holds something in a column: hardly less than all. Of a relation that may be loaded along, a part."""

from django.db import models


class User(models.Model):
    name = models.CharField(max_length=80)


class Right(models.Model):
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="rights")
    key = models.CharField(max_length=80)
    granted = models.IntegerField()


def keys(name: str) -> set[str]:
    user = User.objects.get(name=name)
    return {right.key for right in user.rights.all() if right.key}


def granted(name: str) -> set[str]:
    user = User.objects.get(name=name)
    return {right.key for right in user.rights.all() if right.granted > 3}  # flagged


def granted_of(user: User) -> set[str]:
    """Who gives the user may have loaded the rights along: needs context."""
    return {right.key for right in user.rights.all() if right.granted > 3}
