import httpx
from django.db import models, transaction


class Report(models.Model):
    text = models.TextField()

    @classmethod
    def create(cls, text: str) -> "Report":
        with transaction.atomic():
            report = cls(text=text)
            report.save()
        return report

    def __enter__(self) -> "Report":
        return self

    def __exit__(self, *_: object) -> None:
        self.save()


def publish(text: str) -> None:
    with Report.create(text) as report:
        report.text = httpx.get("https://example.org").text


def publish_at_once(text: str) -> None:
    with transaction.atomic():
        report = Report(text=text)
        report.save()
        httpx.get("https://example.org")  # flagged
