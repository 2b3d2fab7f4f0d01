"""What is about to be saved is compared with what is stored: that has to be read."""

from django.db import models
from django.db.models.signals import post_save, pre_save
from django.dispatch import receiver


class Image(models.Model):
    file = models.CharField(max_length=80)


@receiver(pre_save, sender=Image)
def forget_old_file(sender: type[Image], instance: Image, **kwargs: object) -> None:
    old = Image.objects.get(pk=instance.pk).file
    if old != instance.file:
        print(old)


@receiver(post_save, sender=Image)
def tell(sender: type[Image], instance: Image, **kwargs: object) -> None:
    print(Image.objects.get(pk=instance.pk).file)  # flagged
