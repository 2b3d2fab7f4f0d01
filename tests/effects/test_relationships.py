"""Relationships read on instances, from either side, and the managers behind them."""

from __future__ import annotations

from pathlib import Path

from tests.effects.linked import link_source, link_tree, misread

DJANGO = """
from django.db import models
class Customer(models.Model):
    name = models.CharField()
class Order(models.Model):
    customer = models.ForeignKey(Customer, on_delete=models.CASCADE)
    billed = models.ForeignKey("Customer", related_name="bills", on_delete=models.CASCADE, null=True)
    parent = models.ForeignKey("self", null=True, on_delete=models.CASCADE, related_name="children")
class Item(models.Model):
    order = models.ForeignKey("app.Order", related_name="items", on_delete=models.CASCADE)
    tags = models.ManyToManyField("Tag")
class Tag(models.Model):
    label = models.CharField()
class Detail(models.Model):
    order = models.OneToOneField(Order, on_delete=models.CASCADE)
def run(order: Order, customer: Customer, item: Item, tag: Tag):
    order.items.count()  #: db-read db-count blocks of=Item
    customer.order_set.filter(a=1).first()  #: db-read blocks of=Order
    customer.bills.create(a=1)  #: db-write db-insert blocks of=Order
    order.children.update(a=1)  #: db-write db-update blocks of=Order
    item.tags.add(tag)  #: db-write db-insert blocks of=Tag
    tag.item_set.exists()  #: db-read blocks of=Item
    for item in order.items.all():  #: db-read blocks of=Item
        item.order.customer.order_set.count()  #: db-read db-count blocks of=Order
    order.customer.save()  #: db-write blocks of=Customer
def names():
    for order in Order.objects.all():
        print(order.customer.name)
    for order in Order.objects.select_related("customer"):
        print(order.customer_id)
    order = Order.objects.get(pk=1)
    return order.detail.pk
"""


def test_related_managers_run_queries_of_the_other_entity() -> None:
    assert misread(DJANGO) == []


def test_reading_a_foreign_key_reads_the_relationship() -> None:
    tree = link_source(DJANGO)
    assert ("orm.relationship", "customer") in {
        (link.library, link.key) for _, link in tree.at("print(order.customer.name)")
    }
    assert ("orm.relationship", "detail") in {(link.library, link.key) for _, link in tree.at("order.detail.pk")}
    assert not [link for _, link in tree.at("print(order.customer_id)") if link.implicit == "read"]


OWN_MANAGER = """
from django.db import models
class Recent(models.Manager):
    def get_queryset(self):
        return super().get_queryset().defer("text")
    def recent(self):
        return self.filter(a=1)
class Post(models.Model):
    text = models.TextField()
    objects = Recent()
def run():
    Post.objects.create(a=1)  #: db-write db-insert blocks of=Post
    Post.objects.filter(a=1).update(a=2)  #: db-write db-update blocks of=Post
    Post.objects.filter(a=1).exists()  #: db-read blocks of=Post
"""


def test_a_manager_of_the_project_is_about_its_model() -> None:
    assert misread(OWN_MANAGER) == []


COLUMNS = {
    "app/zone.py": """
class Zone:
    name: str
""",
    "app/models.py": """
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from app.zone import Zone
class Base(DeclarativeBase): ...
class Site(Base):
    __tablename__ = "sites"
    id: Mapped[int] = mapped_column(primary_key=True)
    zone: Mapped[Zone]
""",
    "app/main.py": """
from sqlalchemy import func, select
from sqlalchemy.orm import Session
from app import models
from app.models import Site
def run(session: Session):
    session.execute(select(models.Site.id))  #: db-read blocks of=Site
    session.execute(select(models.Site.zone, models.Site.id))  #: db-read blocks of=Site
    session.execute(select(Site.zone))  #: db-read blocks of=Site
    session.execute(select(Site.id.label("key")))  #: db-read blocks of=Site
""",
}


def test_columns_are_of_their_table_whatever_their_type(tmp_path: Path) -> None:
    tree = link_tree(tmp_path, COLUMNS)
    for line in COLUMNS["app/main.py"].splitlines():
        if "#:" in line:
            assert tree.details(line) == {"Site"}, line


NEVER_SET = """
from sqlalchemy.orm import Session
session: Session = None
client = None
def close():
    global client
    client.close()
def run():
    client.send()
    session.execute("SELECT 1")  #: db-read blocks
"""


def test_a_name_that_nothing_sets_later_is_not_known() -> None:
    assert misread(NEVER_SET) == []


OWN_USER = """
from django.conf import settings
from django.contrib.auth.models import AbstractUser, Group
from django.db import models
class Member(AbstractUser):
    team = models.ForeignKey(Group, on_delete=models.CASCADE)
class Note(models.Model):
    author = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="notes")
def run(note: Note, member: Member):
    note.author.save()  #: db-write blocks of=Member
    member.notes.count()  #: db-read db-count blocks of=Note
    note.author.team.save()  #: db-write blocks of=Group
"""


def test_the_user_model_of_the_settings_is_the_projects_own() -> None:
    assert misread(OWN_USER) == []
