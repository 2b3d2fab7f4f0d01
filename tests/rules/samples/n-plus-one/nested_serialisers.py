from django.db import models
from rest_framework import serializers, viewsets


class Order(models.Model):
    state = models.TextField()


class Line(models.Model):
    order = models.ForeignKey(Order, on_delete=models.CASCADE, related_name="lines")
    count = models.IntegerField()


class LineSerializer(serializers.ModelSerializer):
    class Meta:
        model = Line
        fields = ["id", "count"]


class OrderSerializer(serializers.ModelSerializer):
    lines = LineSerializer(many=True)

    class Meta:
        model = Order
        fields = ["id", "state", "lines"]


class Orders(viewsets.ModelViewSet):
    queryset = Order.objects.all()  # flagged
    serializer_class = OrderSerializer


class LoadedOrders(viewsets.ModelViewSet):
    queryset = Order.objects.prefetch_related("lines")
    serializer_class = OrderSerializer
