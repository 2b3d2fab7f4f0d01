from django.db import models


class Provider(models.Model):
    name = models.TextField()


class Speech(models.Model):
    name = models.TextField()


class Picture(models.Model):
    provider = models.IntegerField()


def first_provider(name: str) -> int:
    Provider.objects.create(name=name)
    return 1


def set_up(name: str) -> None:
    """Each write commits by itself: what the middle one makes has nothing to do with the others."""
    Speech.objects.create(name=name)
    Picture.objects.create(provider=1)


def add_or_restore(name: str) -> Provider:
    found = Provider.objects.filter(name=name).first()
    return found or Provider.objects.create(name=name)


def enlist(name: str) -> None:
    """What it adds is there already the second time."""
    provider = add_or_restore(name)
    Picture.objects.create(provider=provider.pk)


def enlist_new(name: str) -> None:
    provider = Provider.objects.create(name=name)  # flagged
    Picture.objects.create(provider=provider.pk)
