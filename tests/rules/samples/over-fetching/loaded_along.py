"""A relation that was loaded along for all elements is at hand: SQL would ask once for each of them."""

from django.db import models


class Trial(models.Model):
    name = models.CharField(max_length=80)


class Mail(models.Model):
    trial = models.ForeignKey(Trial, on_delete=models.CASCADE, related_name="mails")
    kind = models.CharField(max_length=80)
    size = models.IntegerField()


def unsent() -> list[str]:
    trials = list(Trial.objects.filter(name="x").prefetch_related("mails"))
    return [trial.name for trial in trials if not any(True for mail in trial.mails.all() if mail.kind == Kinds.END)]


def large() -> list[list[str]]:
    return [
        [mail.kind for mail in trial.mails.all() if mail.size > 3] for trial in Trial.objects.prefetch_related("mails")
    ]


def asked_for_each() -> list[str]:
    trials = list(Trial.objects.filter(name="x"))
    return [trial.name for trial in trials if not any(True for mail in trial.mails.all() if mail.size > 3)]  # flagged


def total_of(trial: Trial) -> int:
    """Who gives the trial may have loaded its mails along: needs context."""
    return sum(mail.size for mail in trial.mails.all())


class Kinds:
    END = "end"
