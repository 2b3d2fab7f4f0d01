"""A scoped session is the thread's or the request's: calling it gives the one that whoever set it up removes."""

from sqlalchemy import create_engine, text
from sqlalchemy.orm import scoped_session, sessionmaker

make = sessionmaker(create_engine("postgresql://localhost/app"))
Current = scoped_session(make)


def end_of_request(failed: bool) -> None:
    if failed:
        Current().rollback()
    else:
        Current().commit()
    Current.remove()


def note(message: str) -> None:
    session = Current()
    session.execute(text("insert into notes values (:m)"), {"m": message})


def own(message: str) -> None:
    session = make()  # flagged
    session.execute(text("insert into notes values (:m)"), {"m": message})
