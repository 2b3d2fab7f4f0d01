# file: app/models.py
from django.db import models

class Order(models.Model):
    number = models.CharField(max_length=20)
    open = models.BooleanField()
# file: app/views.py
from asgiref.sync import sync_to_async
from django.http import HttpRequest, JsonResponse
from app.models import Order

async def counted(request: HttpRequest) -> JsonResponse:
    orders = Order.objects.filter(open=True)
    for order in orders:  # flagged
        print(order.number)
    count = Order.objects.count()  # flagged
    return JsonResponse({"count": count})

async def properly(request: HttpRequest) -> JsonResponse:
    first = await Order.objects.filter(open=True).afirst()
    async for order in Order.objects.all():
        print(order.number)
    count = await sync_to_async(Order.objects.count)()
    return JsonResponse({"count": count, "first": first.number if first else ""})

def plain(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"count": Order.objects.count()})
