import sqlite3


def dump(connection: sqlite3.Connection, tables: list[str]) -> list[tuple[object, ...]]:
    """Each element is a table: no one statement reads them all."""
    found = []
    for table in tables:
        found.extend(connection.execute(f"SELECT * FROM {table}").fetchall())
    return found


def pick(connection: sqlite3.Connection, table: str, keys: list[int]) -> list[tuple[object, ...]]:
    found = []
    for key in keys:
        found.extend(connection.execute(f"SELECT * FROM {table} WHERE id = ?", (key,)).fetchall())  # flagged
    return found
