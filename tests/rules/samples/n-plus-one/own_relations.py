"""Each pass goes through the same relation of the same object: whoever loads the object may load it along. Needs context."""

from django.db import models


class Trial(models.Model):
    name = models.CharField(max_length=80)

    def slugs(self) -> list[str]:
        return [branch.slug for branch in self.branches.all()]


class Branch(models.Model):
    trial = models.ForeignKey(Trial, on_delete=models.CASCADE, related_name="branches")
    slug = models.CharField(max_length=80)


class Results:
    def __init__(self, trial: Trial) -> None:
        self.trial = trial

    def has_data(self, metric: str) -> bool:
        return any(metric in slug for slug in self.trial.slugs())

    def overview(self, metrics: list[str]) -> dict[str, bool]:
        return {metric: self.has_data(metric) for metric in metrics}

    def size(self, trial: Trial) -> int:
        return len(trial.slugs())

    def sizes(self) -> list[int]:
        """Of other objects: each is asked anew."""
        return [self.size(trial) for trial in Trial.objects.filter(name="x")]  # flagged
