from django.db import models
from django.http import HttpRequest, HttpResponse


class Order(models.Model):
    status = models.CharField(max_length=20)


def first(request: HttpRequest) -> HttpResponse:
    return HttpResponse(list(Order.objects.all())[0].status)  # flagged


def any_open(request: HttpRequest) -> HttpResponse:
    orders = Order.objects.filter(status="open")
    if len(orders) > 0:  # flagged
        return HttpResponse("yes")
    return HttpResponse("no")


def shown(request: HttpRequest) -> HttpResponse:
    orders = Order.objects.filter(status="open")
    return HttpResponse(f"{len(orders)}: {[each.status for each in orders]}")


def limited(request: HttpRequest) -> HttpResponse:
    return HttpResponse(list(Order.objects.all()[:5])[0].status)
