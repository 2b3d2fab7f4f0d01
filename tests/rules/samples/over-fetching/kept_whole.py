from sqlalchemy import JSON, Text, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column


class Base(DeclarativeBase):
    pass


class Organization(Base):
    __tablename__ = "organizations"
    id: Mapped[int] = mapped_column(primary_key=True)
    description: Mapped[str] = mapped_column(Text)
    settings: Mapped[dict[str, str]] = mapped_column(JSON)


def by_id(session: Session, ids: list[int]) -> dict[int, Organization]:
    """A long expression that keeps the row itself."""
    return {
        organization.id: organization
        for organization in (
            session.execute(
                select(Organization).where(
                    Organization.id.in_([each for each in ids if each is not None and each > 0]),
                    Organization.description.is_not(None),
                    Organization.settings.is_not(None),
                )
            )
        )
        .scalars()
        .all()
    }


def locked(session: Session, ids: list[int]) -> list[int]:
    rows = session.scalars(select(Organization).where(Organization.id.in_(ids)).with_for_update()).all()
    return [row.id for row in rows]


def names(session: Session, ids: list[int]) -> list[int]:
    rows = session.scalars(select(Organization).where(Organization.id.in_(ids))).all()
    return [row.id for row in rows]  # flagged
