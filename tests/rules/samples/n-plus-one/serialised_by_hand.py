"""Rows that are serialised or checked one by one: which queries that makes hangs on the fields, and on the query of the rows."""

from django.db import models
from rest_framework import serializers


class Author(models.Model):
    name = models.CharField(max_length=80)


class Book(models.Model):
    title = models.CharField(max_length=80)
    author = models.ForeignKey(Author, on_delete=models.CASCADE)


class Tag(models.Model):
    book = models.ForeignKey(Book, on_delete=models.CASCADE, related_name="tags")
    text = models.CharField(max_length=80)


class TagSerializer(serializers.ModelSerializer):
    class Meta:
        model = Tag
        fields = ("text",)


class BookSerializer(serializers.ModelSerializer):
    tags = TagSerializer(many=True)

    class Meta:
        model = Book
        fields = ("title", "tags")


def export() -> list[dict]:
    """The tags are loaded along; whether that is all, the fields would tell: needs context."""
    found = []
    books = Book.objects.select_related("author").prefetch_related("tags")
    for book in books.iterator(chunk_size=100):
        data = BookSerializer(book).data
        found.append(data)
    return found


def export_one_by_one() -> list[dict]:
    found = []
    for book in Book.objects.filter(title="x"):
        data = BookSerializer(book).data  # flagged
        found.append(data)
    return found


def check(rows: list[dict]) -> int:
    """A serialiser of plain fields asks nothing: needs context."""
    return sum(1 for row in rows if TagSerializer(data=row).is_valid())
