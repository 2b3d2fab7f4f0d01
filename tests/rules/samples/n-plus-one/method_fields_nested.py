"""What belongs to what belongs to a serialised object: the view's query may load both along, which is not shown here."""

from django.db import models
from rest_framework import serializers


class Trial(models.Model):
    name = models.CharField(max_length=80)


class Branch(models.Model):
    trial = models.ForeignKey(Trial, on_delete=models.CASCADE, related_name="branches")
    slug = models.CharField(max_length=80)


class FeatureValue(models.Model):
    branch = models.ForeignKey(Branch, on_delete=models.CASCADE, related_name="feature_values")
    text = models.CharField(max_length=80)


class TrialSerializer(serializers.ModelSerializer):
    branches = serializers.SerializerMethodField()

    class Meta:
        model = Trial
        fields = ("name", "branches")

    def get_branches(self, obj: Trial) -> list[list[str]]:
        return [
            [value.text for value in branch.feature_values.all()]
            for branch in sorted(obj.branches.all(), key=lambda branch: branch.slug)
        ]


def branches() -> list[str]:
    found = []
    for trial in Trial.objects.filter(name="x"):
        for branch in sorted(trial.branches.all(), key=lambda branch: branch.slug):  # flagged
            found.extend(value.text for value in branch.feature_values.all())  # flagged
    return found
