import sqlite3

from fastapi import FastAPI
from sqlalchemy import Engine, create_engine, text


app = FastAPI()
_engine = None
profile = None


def engine() -> Engine:
    global _engine
    if not _engine:
        _engine = create_engine("postgresql+psycopg://localhost/app")
    return _engine


def bare_engine():
    global _engine
    if not _engine:
        _engine = create_engine("postgresql+psycopg://localhost/app")
    assert _engine
    return _engine


def opened():
    global profile
    if profile is None:
        profile = sqlite3.connect("profile.db")
    return profile


@app.post("/mark")
def mark() -> int:
    connection = bare_engine().connect()  # flagged
    found = connection.execute(text("UPDATE jobs SET done = true"))
    if not found.rowcount:
        raise ValueError("nothing to mark")
    return found.rowcount


@app.post("/measure")
def measure() -> None:
    opened().execute("INSERT INTO stages (name) VALUES ('first')")


@app.get("/count")
def count() -> int:
    with engine().connect() as connection:
        return len(connection.execute(text("SELECT id FROM jobs")).all())
