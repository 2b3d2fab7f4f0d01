"""`Count` and `Sum` go through all rows that match; `Min` and `Max` read one end of an index."""

from django.db.models import Count, Max, Model, IntegerField, Sum
from django.http import HttpRequest, HttpResponse, HttpResponseForbidden
from django.urls import path

LIMIT = 1000


class Job(Model):
    size = IntegerField()
    number = IntegerField()


def submit(request: HttpRequest) -> HttpResponse:
    used = Job.objects.aggregate(used=Sum("size"))["used"]  # flagged
    if used >= LIMIT:
        return HttpResponseForbidden()
    return HttpResponse()


def submit_counted(request: HttpRequest) -> HttpResponse:
    jobs = Job.objects.aggregate(jobs=Count("id"))["jobs"]  # flagged
    if jobs >= LIMIT:
        return HttpResponseForbidden()
    return HttpResponse()


def submit_numbered(request: HttpRequest) -> HttpResponse:
    latest = Job.objects.aggregate(latest=Max("number"))["latest"]
    if latest >= LIMIT:
        return HttpResponseForbidden()
    return HttpResponse()


urlpatterns = [path("a", submit), path("b", submit_counted), path("c", submit_numbered)]
