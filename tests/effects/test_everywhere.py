"""What a name means at the top of a file is found once for all calls there; where a scope hides it, it is something else."""

from __future__ import annotations

from tests.effects.linked import misread

HIDDEN = """
import time
import requests
from sqlalchemy.orm import Session
def top():
    time.sleep(1)  #: sleep blocks
def again():
    time.sleep(1)  #: sleep blocks
def by_parameter(time):
    time.sleep(1)  #:
def by_assignment():
    time = make()
    time.sleep(1)  #:
def by_loop(many):
    for time in many:
        time.sleep(1)  #:
def by_import():
    import asyncio as time
    time.sleep(1)  #: sleep
def around(time):
    def inner():
        time.sleep(1)  #:
    return inner
def outer():
    def inner():
        time.sleep(1)  #: sleep blocks
    return inner
def shadows():
    def time(): ...
    time.sleep(1)  #:
def restored():
    global time
    time.sleep(1)  #: sleep blocks
requests.get("x")  #: network:http blocks
def after(requests):
    requests.get("x")  #:
"""

ARGUMENTS = """
from django.db import models
class User(models.Model): ...
def first():
    texts = list("abc")  #:
    rows = list(User.objects.all())  #: db-read blocks
    more = list("abc")  #:
def second():
    rows = list(User.objects.all())  #: db-read blocks
def third(list):
    rows = list(User.objects.filter(a=1))  #:
"""


def test_a_name_that_a_scope_binds_is_not_the_files() -> None:
    assert misread(HIDDEN) == []


def test_what_hangs_on_arguments_is_asked_of_each_call() -> None:
    assert misread(ARGUMENTS) == []
