# file: app/store.py
import psycopg


def total(dsn: str) -> int:
    conn = psycopg.Connection.connect(dsn)  # flagged
    rows = conn.execute("SELECT id FROM jobs").fetchall()
    return len(rows)


# file: app/broker.py
import random

import stomp


def deliver(messages: list[str], conns: list, user: str) -> None:
    """Connects again what its caller keeps: a broker's connection, whatever else the project imports."""
    for message in messages:
        conn = random.sample(conns, 1)[0]
        if not conn.is_connected():
            conn.connect(user, wait=True)
        conn.send(body=message, destination="jobs")
