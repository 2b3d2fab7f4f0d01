from django.db import IntegrityError, models


class Kind(models.Model):
    name = models.TextField()


class Item(models.Model):
    name = models.TextField()
    kind = models.ForeignKey(Kind, on_delete=models.CASCADE)


def filled_once(names: list[str], kind: Kind | None) -> list[str]:
    found = []
    for name in names:
        if kind is None:
            kind = Kind.objects.get(name=name)
        found.append(f"{kind.pk} {name}")
    return found


def filled_each_time(names: list[str]) -> list[str]:
    found = []
    for name in names:
        kind = None
        if kind is None:
            kind = Kind.objects.get(name=name)  # flagged
        found.append(f"{kind.pk} {name}")
    return found


def told_apart(items: list[Item]) -> list[int]:
    missing = []
    try:
        Item.objects.bulk_update(items, ["name"])
    except IntegrityError:
        for item in items:
            if not Kind.objects.filter(name=item.name).exists():
                missing.append(item.pk)
    return missing
