"""What is written for each element in a transaction of its own, several tables at once, is a unit of work: needs context."""

from django.db import models, transaction


class Trial(models.Model):
    state = models.CharField(max_length=80)


class Change(models.Model):
    trial = models.ForeignKey(Trial, on_delete=models.CASCADE)


def record(trial: Trial) -> None:
    Change.objects.create(trial=trial)


def start() -> None:
    for trial in Trial.objects.filter(state="waiting"):
        with transaction.atomic():
            trial.state = "live"
            trial.save()
            record(trial)


def start_each() -> None:
    """One row in a transaction of its own is no unit."""
    for trial in Trial.objects.filter(state="waiting"):
        with transaction.atomic():
            trial.state = "live"
            trial.save()  # flagged


def start_all() -> None:
    with transaction.atomic():
        for trial in Trial.objects.filter(state="waiting"):
            trial.state = "live"
            trial.save()  # flagged
            record(trial)
