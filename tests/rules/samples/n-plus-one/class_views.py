from rest_framework import generics, viewsets

from app.models import Order
from app.serialisers import OrderSerialiser, PlainSerialiser


class OrderViewSet(viewsets.ModelViewSet):
    queryset = Order.objects.all()  # flagged
    serializer_class = OrderSerialiser


class OrderList(generics.ListAPIView):
    serializer_class = OrderSerialiser

    def get_queryset(self):
        return Order.objects.filter(owner=self.request.user)  # flagged


class Prefetched(viewsets.ModelViewSet):
    queryset = Order.objects.select_related("customer").prefetch_related("lines")
    serializer_class = OrderSerialiser


class Plain(viewsets.ReadOnlyModelViewSet):
    queryset = Order.objects.all()
    serializer_class = PlainSerialiser


class One(generics.RetrieveAPIView):
    queryset = Order.objects.all()
    serializer_class = OrderSerialiser


# file: app/serialisers.py
from rest_framework import serializers

from app.models import Line, Order


class LineSerialiser(serializers.ModelSerializer):
    class Meta:
        model = Line
        fields = ["sku"]


class OrderSerialiser(serializers.ModelSerializer):
    lines = LineSerialiser(many=True, read_only=True)
    customer_name = serializers.CharField(source="customer.name")

    class Meta:
        model = Order
        fields = ["id", "lines", "customer_name"]


class PlainSerialiser(serializers.ModelSerializer):
    class Meta:
        model = Order
        fields = ["id", "customer"]


# file: app/models.py
from django.db import models


class Customer(models.Model):
    name = models.CharField(max_length=50)


class Order(models.Model):
    owner = models.CharField(max_length=50)
    customer = models.ForeignKey(Customer, on_delete=models.CASCADE)


class Line(models.Model):
    order = models.ForeignKey(Order, on_delete=models.CASCADE, related_name="lines")
    sku = models.CharField(max_length=50)
