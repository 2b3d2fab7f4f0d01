import time

from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

engine = create_engine("postgresql://localhost/app")


def wait(end: float) -> None:
    while True:
        try:
            with Session(engine) as session:
                session.execute(text("SELECT id FROM settings"))
                session.execute(text("SELECT id FROM versions"))
            break
        except OperationalError:
            if time.monotonic() > end:
                raise
        time.sleep(2)


def probe() -> None:
    while True:
        with Session(engine) as session:
            if session.execute(text("select 1 from dual")).scalar():
                break
        time.sleep(2)


def until_done(key: int) -> None:
    while True:
        try:
            with Session(engine) as session:
                found = session.execute(text("SELECT done FROM jobs WHERE id = :id"), {"id": key})  # flagged
            if found.scalar():
                break
        except OperationalError:
            raise SystemExit(1) from None
        time.sleep(2)
