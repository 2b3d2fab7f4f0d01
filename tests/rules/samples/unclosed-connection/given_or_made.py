import httpx
from flask import jsonify
from sqlalchemy import create_engine

engine = create_engine("postgresql://localhost/app")


class Api:
    def __init__(self, client: httpx.Client | None = None) -> None:
        self.client = client or httpx.Client()

    def close(self) -> None:
        self.client.close()


def rows(least: int):
    connection = engine.raw_connection()  # flagged
    cursor = connection.cursor()
    cursor.execute("SELECT id FROM articles WHERE views > %s", (least,))
    found = cursor.fetchall()
    connection.close()
    return jsonify(found)


def rows_closed(least: int):
    connection = engine.raw_connection()
    try:
        cursor = connection.cursor()
        cursor.execute("SELECT id FROM articles WHERE views > %s", (least,))
        return jsonify(cursor.fetchall())
    finally:
        connection.close()
