"""Of a relation, what holds something in a column: hardly less than all, and it may be loaded along."""

from django.db import models


class User(models.Model):
    name = models.CharField(max_length=80)


class Right(models.Model):
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="rights")
    key = models.CharField(max_length=80)
    granted = models.IntegerField()


def keys(user: User) -> set[str]:
    return {right.key for right in user.rights.all() if right.key}


def granted(user: User) -> set[str]:
    return {right.key for right in user.rights.all() if right.granted > 3}  # flagged
