"""SQLModel hands on to SQLAlchemy how a relationship is loaded."""

from sqlmodel import Field, Relationship, Session, SQLModel, select


class Label(SQLModel, table=True):
    id: int = Field(primary_key=True)
    name: str
    view_id: int = Field(foreign_key="view.id")


class Column(SQLModel, table=True):
    id: int = Field(primary_key=True)
    name: str
    view_id: int = Field(foreign_key="view.id")


class View(SQLModel, table=True):
    id: int = Field(primary_key=True)
    name: str
    labels: list[Label] = Relationship(sa_relationship_kwargs={"lazy": "joined"})
    more: list[Label] = Relationship(sa_relationship_kwargs=dict(lazy="selectin"))
    columns: list[Column] = Relationship(sa_relationship_kwargs={"cascade": "all", "lazy": "select"})

    def described(self) -> dict[str, object]:
        return {"name": self.name, "labels": [label.name for label in self.labels]}


def labels(session: Session) -> list[list[str]]:
    views = session.exec(select(View)).unique().all()
    return [[label.name for label in view.labels] for view in views]


def described(session: Session) -> list[dict[str, object]]:
    return [view.described() for view in session.exec(select(View)).unique().all()]


def more(session: Session) -> list[int]:
    return [len(view.more) for view in session.exec(select(View)).unique().all()]


def columns(session: Session) -> list[int]:
    return [len(view.columns) for view in session.exec(select(View)).unique().all()]  # flagged
