"""Counts that let in, that ask for existence, that are the answer."""

import sqlite3

from flask import Flask, abort

app = Flask(__name__)
MOST = 100


@app.post("/seats")
def take(connection: sqlite3.Connection) -> str:
    used = connection.execute("SELECT count(*) FROM seats").fetchone()[0]  # flagged
    if used >= MOST:
        abort(429)
    return "ok"


def used_seats(connection: sqlite3.Connection) -> int:
    return connection.execute("SELECT count(*) FROM seats").fetchone()[0]


@app.post("/more")
def more(connection: sqlite3.Connection) -> str:
    if used_seats(connection) >= MOST:  # flagged
        abort(429)
    return "ok"


@app.get("/number")
def number(connection: sqlite3.Connection) -> dict[str, int]:
    return {"seats": used_seats(connection)}


@app.get("/any")
def any_seat(connection: sqlite3.Connection) -> bool:
    return used_seats(connection) > 0
