# file: app/alembic/versions/0001_fill.py
from alembic import op
from sqlalchemy.orm import Session

revision = "0001"
down_revision = None


def upgrade() -> None:
    session = Session(bind=op.get_bind())
    session.execute("UPDATE items SET size = 0 WHERE size IS NULL")
    session.commit()


# file: app/tasks.py
from sqlalchemy import create_engine
from sqlalchemy.orm import sessionmaker

Sessions = sessionmaker(create_engine("postgresql://localhost/app"))
session = Sessions()


def fill() -> None:
    session.execute("UPDATE items SET size = 0 WHERE size IS NULL")
    session.commit()  # flagged


# file: scripts/fill.py
from app.tasks import Sessions


def main() -> None:
    session = Sessions()
    session.execute("UPDATE items SET size = 0 WHERE size IS NULL")
    session.commit()


if __name__ == "__main__":
    main()
