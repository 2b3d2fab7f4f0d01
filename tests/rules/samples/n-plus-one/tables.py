import sqlite3

import psycopg


def dump(connection: psycopg.Connection, tables: list[str]) -> list[tuple[object, ...]]:
    """Each element is a table: no one statement reads them all."""
    found = []
    for table in tables:
        found.extend(connection.execute(f"SELECT * FROM {table}").fetchall())
    return found


def pick(connection: psycopg.Connection, table: str, keys: list[int]) -> list[tuple[object, ...]]:
    found = []
    for key in keys:
        found.extend(connection.execute(f"SELECT * FROM {table} WHERE id = ?", (key,)).fetchall())  # flagged
    return found


def pick_in_process(connection: sqlite3.Connection, keys: list[int]) -> list[tuple[object, ...]]:
    """A query of SQLite is a function call."""
    return [connection.execute("SELECT * FROM parts WHERE id = ?", (key,)).fetchone() for key in keys]
