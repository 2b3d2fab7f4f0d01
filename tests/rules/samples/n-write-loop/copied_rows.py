from django.db import models


class Plan(models.Model):
    name = models.CharField(max_length=80)


class Day(models.Model):
    plan = models.ForeignKey(Plan, on_delete=models.CASCADE, related_name="days")

    def save(self, *args: object, **kwargs: object) -> None:
        super().save(*args, **kwargs)


class Link(models.Model):
    plan = models.ForeignKey(Plan, on_delete=models.CASCADE, related_name="links")


def clone(plan: Plan, made: Plan) -> None:
    """Copies are inserted: another rule."""
    for day in plan.days.all():
        day.pk = None
        day.plan = made
        day.save()
    for link in plan.links.all():
        link.id = None
        link.save()


def move(plan: Plan, other: Plan) -> None:
    for day in plan.days.all():
        day.plan = other
        day.save()  # flagged
    for link in plan.links.all():
        link.plan = other
        link.save()  # flagged
        link.id = None


def finish(plan: Plan, names: list[str]) -> None:
    made = {}
    for name in names:
        day = Day(plan=plan)
        made[name] = day
    for _name, day in made.items():
        day.save()  # flagged
