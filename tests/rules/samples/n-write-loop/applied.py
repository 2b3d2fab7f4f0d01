from django.http import HttpRequest, HttpResponse

from app.models import Book


def each(items, work):
    for item in items:
        work(item)


def reset(request: HttpRequest) -> HttpResponse:
    each(Book.objects.all(), lambda book: Book.objects.filter(pk=book.pk).update(sold=False))  # flagged
    return HttpResponse()


def sliced(request: HttpRequest) -> HttpResponse:
    for book in Book.objects.filter(sold=True)[:100]:
        book.sold = False
        book.save()  # flagged
    return HttpResponse()


# file: app/models.py
from django.db import models


class Book(models.Model):
    sold = models.BooleanField(default=False)
