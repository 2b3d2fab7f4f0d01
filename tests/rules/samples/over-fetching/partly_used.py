"""What of a load is used, and by whom."""

from sqlalchemy import Text, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column


class Base(DeclarativeBase): ...


class Page(Base):
    __tablename__ = "pages"
    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]
    body: Mapped[str] = mapped_column(Text)


def show(page: Page) -> None: ...


def titles_and_more(session: Session) -> list[str]:
    pages = session.scalars(select(Page)).all()
    for page in pages:
        show(page)
    return [page.title for page in pages]


def lengths(session: Session) -> list[int]:
    return [len(page.body) for page in session.scalars(select(Page)).all()]


def columns(session: Session) -> list[str]:
    return [row.title for row in session.execute(select(Page.id, Page.title)).all()]


def bounded(session: Session) -> int:
    return len(session.query(Page).limit(11).all())


def also_used(session: Session) -> tuple[int, list[Page]]:
    pages = session.query(Page).all()
    return len(pages), pages


def retitled(session: Session) -> None:
    for page in session.scalars(select(Page)).all():
        page.title = page.title.strip()


def named(session: Session, title: str) -> Page | None:
    return next((page for page in session.scalars(select(Page)).all() if page.title == title), None)  # flagged


def by_method(session: Session) -> list[Page]:
    return [page for page in session.scalars(select(Page)).all() if page.title.startswith("A")]


def helped(session: Session) -> list[int]:
    return [page.id for page in pages_of(session)]  # missed: the query stands in a helper


def pages_of(session: Session) -> list[Page]:
    return list(session.scalars(select(Page)).all())
