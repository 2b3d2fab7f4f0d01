"""A count behind a cache is made when the cache has none, not on each request."""

from collections.abc import Callable

from django.core.cache import cache
from django.db.models import IntegerField, Model
from django.http import HttpRequest, HttpResponse, HttpResponseForbidden
from django.urls import path

LIMIT = 1000


class Job(Model):
    size = IntegerField()


def jobs() -> int:
    return Job.objects.count()


def get_or_set(key: str, function: Callable[[], int], timeout: int) -> int:
    value = cache.get(key)
    if value is None:
        value = function()
        cache.set(key, value, timeout)
    return value


def submit(request: HttpRequest) -> HttpResponse:
    if get_or_set("jobs", jobs, 60) > LIMIT:
        return HttpResponseForbidden()
    return HttpResponse()


def submit_kept(request: HttpRequest) -> HttpResponse:
    found = cache.get_or_set("jobs", jobs, 60)
    if found > LIMIT:
        return HttpResponseForbidden()
    return HttpResponse()


def submit_counted(request: HttpRequest) -> HttpResponse:
    found = jobs()  # flagged
    if found > LIMIT:
        return HttpResponseForbidden()
    return HttpResponse()


urlpatterns = [path("a", submit), path("b", submit_kept), path("c", submit_counted)]
