"""A method field of a serialiser runs for each object of a list."""

from django.db import models
from rest_framework import serializers


class Recipe(models.Model):
    name = models.CharField(max_length=80)


class Rating(models.Model):
    recipe = models.ForeignKey(Recipe, on_delete=models.CASCADE, related_name="ratings")
    stars = models.IntegerField()


class RecipeSerializer(serializers.ModelSerializer):
    good = serializers.SerializerMethodField()

    class Meta:
        model = Recipe
        fields = ["name", "good"]

    def get_good(self, recipe):
        return recipe.ratings.filter(stars__gt=3).count()  # flagged
