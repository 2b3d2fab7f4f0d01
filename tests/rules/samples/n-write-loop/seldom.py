from sqlalchemy import update
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column


class Base(DeclarativeBase):
    pass


class Query(Base):
    __tablename__ = "queries"
    id: Mapped[int] = mapped_column(primary_key=True)
    slug: Mapped[str]
    broken: Mapped[bool]


def due(session: Session) -> list[Query]:
    found = []
    for query in session.query(Query).all():
        try:
            if check(query.slug):
                found.append(query)
        except ValueError:
            query.broken = True
            session.commit()
    return found


def check(slug: str) -> bool:
    return slug.isidentifier()


def remove(session: Session, queries: list[Query], slug: str) -> None:
    for query in queries:
        if query.slug == slug:
            session.delete(query)
            session.commit()


def remove_broken(session: Session, queries: list[Query]) -> None:
    for query in queries:
        if query.broken:
            session.delete(query)
            session.commit()  # flagged


def remove_all_but(session: Session, queries: list[Query], slug: str) -> None:
    for query in queries:
        if query.slug != slug:
            session.delete(query)
            session.commit()  # flagged


def change(session: Session, query: Query, options: dict[str, str]) -> None:
    for key in options:
        if key == "slug":
            session.execute(update(Query).where(Query.id == query.id).values(slug=options[key]))
        elif key == "broken":
            session.execute(update(Query).where(Query.id == query.id).values(broken=True))
        else:
            session.execute(update(Query).where(Query.slug == key).values(slug=options[key]))  # flagged


def change_all(session: Session, query: Query, **changes: str) -> None:
    for name, value in changes.items():
        if name == "slug" and value:
            session.execute(update(Query).where(Query.id == query.id).values(slug=value))
        if value == "broken":
            session.execute(update(Query).where(Query.id == query.id).values(slug=name))  # flagged


def change_states(session: Session, states: list[str]) -> None:
    for state in states:
        if state == "broken":
            session.execute(update(Query).where(Query.slug == state).values(broken=True))  # flagged
