# file: app/models.py
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase): ...


class Rule(Base):
    __tablename__ = "rules"
    id: Mapped[int] = mapped_column(primary_key=True)
    state: Mapped[str]


# file: app/repair.py
import logging
from threading import Thread

from fastapi import FastAPI
from sqlalchemy import create_engine, update
from sqlalchemy.exc import DatabaseError
from sqlalchemy.orm import Session

from app.models import Rule

app = FastAPI()
engine = create_engine("postgresql://localhost/app")
log = logging.getLogger(__name__)


def repair(rule_id: int) -> None:
    with Session(engine) as session:
        session.execute(update(Rule).where(Rule.id == rule_id).values(state="repaired"))
        session.commit()


def run_once(rule_ids: list[int], paused: set[int]) -> None:
    """Each is repaired or put off by itself."""
    for rule_id in rule_ids:
        try:
            repair(rule_id)
        except DatabaseError:
            paused.add(rule_id)
            log.warning("put off %s", rule_id)


def all_or_none(rule_ids: list[int]) -> None:
    for rule_id in rule_ids:
        try:
            repair(rule_id)  # flagged
        except DatabaseError:
            log.warning("gave up at %s", rule_id)
            raise


def whatever_happens(rule_ids: list[int]) -> None:
    """That nothing ends the loop says nothing of the rows."""
    for rule_id in rule_ids:
        try:
            repair(rule_id)  # flagged
        except Exception:
            log.warning("skipped %s", rule_id)


def plain(rule_ids: list[int]) -> None:
    for rule_id in rule_ids:
        repair(rule_id)  # flagged


@app.post("/repair")
def asked_for(rule_ids: list[int]) -> None:
    """Here somebody waits."""
    for rule_id in rule_ids:
        try:
            repair(rule_id)  # flagged
        except DatabaseError:
            log.warning("skipped %s", rule_id)


def start(count: int) -> None:
    """As many threads as somebody asked for."""
    threads = [Thread(target=repair, args=(number,)) for number in range(count)]
    for each in threads:
        each.start()


# file: app/reading.py
from sqlalchemy import MetaData, Table, delete, select
from sqlalchemy.orm import Session

from app.models import Rule


def list_rules(session: Session, wanted: Table, state: str) -> list[Rule]:
    """Empties the temporary table it asks with."""
    session.execute(delete(wanted))
    return list(session.scalars(select(Rule).where(Rule.state == state)))


def by_state(session: Session, states: list[str]) -> list[Rule]:
    wanted = Table("wanted", MetaData())
    found = []
    for state in states:
        found.extend(list_rules(session, wanted, state))
    return found
