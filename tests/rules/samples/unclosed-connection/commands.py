# file: app/main.py
import sqlite3

import click


def search(words: str) -> list[str]:
    connection = sqlite3.connect("search.db")  # flagged
    return connection.execute("SELECT name FROM docs WHERE name = ?", (words,)).fetchall()


@click.command()
def fill() -> None:
    connection = sqlite3.connect("search.db")
    connection.execute("INSERT INTO docs VALUES ('a')")
    connection.commit()


# file: scripts/fingerprint.py
import sqlite3


def fingerprint(path: str) -> list[str]:
    connection = sqlite3.connect(path)
    return connection.execute("SELECT name FROM sqlite_master").fetchall()
