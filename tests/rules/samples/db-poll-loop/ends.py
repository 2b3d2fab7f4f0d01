import time

from sqlalchemy import create_engine, text
from sqlalchemy.orm import Session

engine = create_engine("postgresql://localhost/app")


def waited(fence, key: int) -> None:
    start = time.monotonic()
    while True:
        if time.monotonic() - start > 60:
            with Session(engine) as session:
                session.execute(text("UPDATE attempts SET failed = true WHERE id = :id"), {"id": key})
            raise TimeoutError
        if fence.ready:
            break
        time.sleep(1)


def refused(fence, session: Session, key: int) -> None:
    while not fence.ready:
        if fence.broken:
            session.execute(text("SELECT id FROM attempts WHERE id = :id"), {"id": key})
            raise ValueError(key)
        time.sleep(1)


def ready() -> None:
    while True:
        with Session(engine) as session:
            if session.execute(text("SELECT NOW()")).scalar():
                break
        time.sleep(1)


def polled(session: Session, key: int) -> None:
    while True:
        if session.execute(text("SELECT done FROM attempts WHERE id = :id"), {"id": key}).scalar():  # flagged
            break
        time.sleep(1)
