from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

from django.http import HttpRequest, JsonResponse

from app.listing import each, paginate, parallel
from app.models import Book


def mapped(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"books": list(map(lambda book: book.latest(), Book.objects.all()))})  # flagged


def ordered(request: HttpRequest) -> JsonResponse:
    books = Book.objects.filter(sold=True)
    return JsonResponse({"titles": [b.title for b in sorted(books, key=lambda b: b.author.name)]})  # flagged


def listed(request: HttpRequest) -> JsonResponse:
    books = Book.objects.all()
    return JsonResponse(paginate(books, 1, 25, lambda book: book.to_dict()))  # flagged


def shared_out(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"names": parallel(lambda b: b.author.name, Book.objects.all())})  # flagged


def looked_up(request: HttpRequest) -> JsonResponse:
    ids = request.GET.getlist("id")
    with ThreadPoolExecutor() as pool:
        return JsonResponse({"books": list(pool.map(describe, ids))})  # flagged


def describe(book_id: str) -> str:
    return str(Book.objects.get(pk=book_id))


def joined(request: HttpRequest) -> JsonResponse:
    books = Book.objects.select_related("author")
    return JsonResponse(paginate(books, 1, 25, lambda book: book.to_dict()))


def plain(request: HttpRequest) -> JsonResponse:
    each(Book.objects.all(), lambda book: print(book.title))
    return JsonResponse({"titles": list(map(lambda book: book.title, Book.objects.all()))})


def chosen(request: HttpRequest) -> JsonResponse:
    """`filter` runs the query once; the lambda asks for nothing."""
    books = Book.objects.all()
    return JsonResponse({"sold": [str(b) for b in filter(lambda book: book.title == "x", books)]})


# file: app/listing.py
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor


def paginate(query, page: int, size: int, serialise: Callable) -> dict:
    rows = query[page * size : (page + 1) * size]
    return {"results": [serialise(row) for row in rows]}


def parallel(work: Callable, items: Iterable) -> list:
    with ThreadPoolExecutor() as pool:
        return list(pool.map(work, items))


def each(items: Iterable, work: Callable) -> None:
    for item in items:
        work(item)


# file: app/models.py
from django.db import models


class Author(models.Model):
    name = models.CharField(max_length=100)


class Book(models.Model):
    title = models.CharField(max_length=100)
    sold = models.BooleanField(default=False)
    author = models.ForeignKey(Author, on_delete=models.CASCADE)

    def latest(self):
        return Sale.objects.filter(book=self).order_by("-id").first()

    def to_dict(self) -> dict:
        return {"title": self.title, "author": self.author.name}


class Sale(models.Model):
    book = models.ForeignKey(Book, on_delete=models.CASCADE)
