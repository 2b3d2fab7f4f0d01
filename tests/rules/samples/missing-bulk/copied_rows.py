"""A copy whose key was emptied is inserted when it is saved, whatever `save` does besides."""

import copy

from django.db import models


class Plan(models.Model):
    name = models.CharField(max_length=80)


class Day(models.Model):
    plan = models.ForeignKey(Plan, on_delete=models.CASCADE, related_name="days")

    def save(self, *args: object, **kwargs: object) -> None:
        if self.pk is None:
            self.order = 1
        super().save(*args, **kwargs)


class Link(models.Model):
    plan = models.ForeignKey(Plan, on_delete=models.CASCADE, related_name="links")


def clone(plan: Plan) -> Plan:
    made = Plan.objects.create(name=plan.name)
    for day in plan.days.all():
        day_copy = copy.copy(day)
        day_copy.pk = None
        day_copy.plan = made
        day_copy.save()  # flagged
    for link in plan.links.all():
        link.id = None
        link.plan = made
        link.save()  # flagged
    return made


def add(plan: Plan, count: list[str]) -> None:
    for _name in count:
        day = Day(plan=plan, name=_name)
        day.save()  # flagged


def move(plan: Plan, other: Plan) -> None:
    """Kept rows are updated: another rule."""
    for day in plan.days.all():
        day.plan = other
        day.save()
