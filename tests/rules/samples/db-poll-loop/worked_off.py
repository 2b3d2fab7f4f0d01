"""What is done for each element that a pass found in memory is work, not the question that the loop asks."""

import time

from sqlalchemy import select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column


class Base(DeclarativeBase): ...


class Run(Base):
    __tablename__ = "runs"
    id: Mapped[int] = mapped_column(primary_key=True)
    state: Mapped[str]


class Runner:
    def __init__(self, session: Session) -> None:
        self.session = session
        self.active: dict[int, bool] = {}

    def finish(self, key: int) -> None:
        run = self.session.scalars(select(Run).where(Run.id == key)).one()
        run.state = "done"
        self.session.commit()

    def watch(self) -> None:
        while True:
            done = [key for key, closed in self.active.items() if closed]
            for key in done:
                self.finish(key)
            time.sleep(1)

    def ask(self) -> None:
        while True:
            waiting = self.session.scalars(select(Run).where(Run.state == "waiting")).all()  # flagged
            print(len(waiting))
            time.sleep(1)

    def ask_each(self) -> None:
        """What is asked of each tenant is a question still, and the pause at the end follows it."""
        while True:
            try:
                names = list(tenants())
                if not names:
                    time.sleep(1)
                    continue
                for name in names:
                    self.look(name)  # flagged
            finally:
                time.sleep(1)

    def look(self, name: str) -> None:
        print(self.session.scalars(select(Run).where(Run.state == name)).first())


def tenants() -> list[str]:
    return ["one", "two"]
