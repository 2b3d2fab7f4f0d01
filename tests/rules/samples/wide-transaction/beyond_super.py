"""`super().save()` runs what a base class does: neither the method it stands in, nor one of a class beside."""

import requests
from celery import Celery
from django.db import models, transaction

app = Celery()


@app.task
def publish(key: int) -> None: ...


class Mail(models.Model):
    text = models.TextField()


class Form:
    mail: Mail

    @transaction.atomic
    def save(self) -> Mail:
        self.mail.save()
        return self.mail


class StatusForm(Form):
    @transaction.atomic
    def save(self) -> Mail:
        return super().save()


class PublishForm(StatusForm):
    @transaction.atomic
    def save(self) -> Mail:
        mail = super().save()
        publish.delay(mail.pk)  # flagged
        return mail


class TellingForm(StatusForm):
    @transaction.atomic
    def save(self) -> Mail:
        mail = super().save()
        requests.post("https://hooks.example", json={"id": mail.pk}, timeout=5)  # flagged
        return mail


class TellingTwiceForm(TellingForm):
    @transaction.atomic
    def save(self) -> Mail:
        return super().save()  # flagged


class Saving:
    """What the form is, somebody else says: any of them."""

    @transaction.atomic
    def run(self, form: StatusForm) -> Mail:
        return form.save()  # flagged
