from collections.abc import Iterable

from django.db import models


class Tag(models.Model):
    name = models.TextField()


class Folder(models.Model):
    name = models.TextField()


class Shelf(models.Model):
    folder = models.ForeignKey(Folder, on_delete=models.CASCADE)


class Document(models.Model):
    shelf = models.ForeignKey(Shelf, on_delete=models.CASCADE)
    tags = models.ManyToManyField(Tag)


def folders() -> list[str]:
    """A path loads every step of it along."""
    documents = Document.objects.prefetch_related("shelf__folder")
    return [document.shelf.folder.name for document in documents]


def shelves() -> list[int]:
    return [document.shelf.folder_id for document in Document.objects.all()]  # flagged


def labels(document: Document) -> list[str]:
    return [tag.name for tag in document.tags.all()]


def index(documents: Iterable[Document]) -> list[list[str]]:
    """Whoever gives the documents may have loaded their tags along: needs context."""
    found = []
    for document in documents:
        found.append(labels(document))
    return found


def index_all() -> list[list[str]]:
    found = []
    for document in Document.objects.all():
        found.append(labels(document))  # flagged
    return found
