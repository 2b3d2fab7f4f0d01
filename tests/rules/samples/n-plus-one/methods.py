from django.db import models


class User(models.Model):
    name = models.TextField()


class Query(models.Model):
    user = models.ForeignKey(User, on_delete=models.CASCADE)

    @property
    def owner_name(self) -> str:
        return self.user.name

    def to_dict(self, with_user: bool = True) -> dict[str, object]:
        found: dict[str, object] = {"id": self.pk}
        if with_user:
            found["user"] = self.user.name
        return found

    def key(self) -> str:
        return f"query-{self.pk}"


def written() -> list[dict[str, object]]:
    return [query.to_dict() for query in Query.objects.filter(pk__gt=1)]  # flagged


def named() -> list[str]:
    return [query.owner_name for query in Query.objects.filter(pk__gt=1)]  # flagged


def loaded_along() -> list[dict[str, object]]:
    return [query.to_dict() for query in Query.objects.filter(pk__gt=1).select_related("user")]


def without() -> list[dict[str, object]]:
    return [query.to_dict(with_user=False) for query in Query.objects.filter(pk__gt=1)]


def keys() -> list[str]:
    return [query.key() for query in Query.objects.filter(pk__gt=1)]


def given(queries: list[Query]) -> list[dict[str, object]]:
    """Whoever gives them may have loaded the users along."""
    return [query.to_dict() for query in queries]
