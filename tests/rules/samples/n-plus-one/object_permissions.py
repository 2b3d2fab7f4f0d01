from django.db import models
from guardian.core import ObjectPermissionChecker
from rest_framework import serializers


class Document(models.Model):
    name = models.TextField()


class DocumentSerializer(serializers.ModelSerializer):
    can_change = serializers.SerializerMethodField()

    def get_can_change(self, document: Document) -> bool:
        checker = ObjectPermissionChecker(self.context["user"])
        return checker.has_perm("change_document", document)  # flagged

    class Meta:
        model = Document
        fields = ["name", "can_change"]
