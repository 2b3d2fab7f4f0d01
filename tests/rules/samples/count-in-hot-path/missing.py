from django.db import models
from django.http import HttpRequest, HttpResponse, HttpResponseNotFound
from django.urls import path


class Check(models.Model):
    slug = models.TextField()


def ping(request: HttpRequest, slug: str) -> HttpResponse:
    try:
        check = Check.objects.get(slug=slug)
    except Check.DoesNotExist:
        if Check.objects.count() >= 100:
            return HttpResponseNotFound("too many")
        check = Check.objects.create(slug=slug)
    return HttpResponse(check.slug)


def add(request: HttpRequest, slug: str) -> HttpResponse:
    if Check.objects.count() >= 100:  # flagged
        return HttpResponseNotFound("too many")
    return HttpResponse(Check.objects.create(slug=slug).slug)


urlpatterns = [path("ping/<slug>", ping), path("add/<slug>", add)]
