from django.db import models


class Author(models.Model):
    name = models.CharField(max_length=80)


class Profile(models.Model):
    author = models.OneToOneField(Author, on_delete=models.CASCADE, related_name="profile")
    city = models.CharField(max_length=80)


class Book(models.Model):
    title = models.CharField(max_length=80)
    author = models.ForeignKey(Author, on_delete=models.CASCADE)


def cities(ids: list[int]) -> list[tuple[str, str]]:
    authors = {author.id: author for author in Author.objects.filter(id__in=ids)}
    return [(authors[each].profile.city, authors[each].name) for each in ids]  # flagged


def names(ids: list[int]) -> list[str]:
    books = {book.id: book for book in Book.objects.filter(id__in=ids)}
    found = []
    for each in ids:
        book = books.get(each)
        found.append(book.author.name)  # flagged
    return found


def titles(ids: list[int]) -> list[str]:
    books = Book.objects.in_bulk(ids)
    return [f"{books[each].title} by {books[each].author.name}" for each in ids]  # flagged


def loaded_along(ids: list[int]) -> list[str]:
    authors = {author.id: author for author in Author.objects.select_related("profile").filter(id__in=ids)}
    return [authors[each].profile.city for each in ids]


def of_one(ids: list[int], chosen: int) -> str:
    authors = {author.id: author for author in Author.objects.filter(id__in=ids)}
    return authors[chosen].profile.city
