import functools
from fastapi import FastAPI

app = FastAPI()


def remembered(function):
    store = {}

    @functools.wraps(function)
    def inner(*args):
        if args not in store:
            store[args] = function(*args)  # flagged
        return store[args]

    return inner


def bounded(function):
    store = {}

    @functools.wraps(function)
    def inner(key):
        if key not in store:
            store[key] = function(key)
        if len(store) > 100:
            store.pop(next(iter(store)))
        return store[key]

    return inner


def unused(function):
    store = {}

    def inner(key):
        if key not in store:
            store[key] = function(key)
        return store[key]

    return inner


@remembered
def card(user_id: int) -> str:
    return f"user {user_id}"


@bounded
def short_card(user_id: int) -> str:
    return f"user {user_id}"


@app.get("/cards/{user_id}")
def shown(user_id: int) -> str:
    return card(user_id) + short_card(user_id)
