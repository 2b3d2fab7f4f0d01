# file: app/models.py
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase): ...


class Site(Base):
    __tablename__ = "sites"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    zone: Mapped[str]


class Setting(Base):
    __tablename__ = "settings"
    name: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[str]


# file: app/cached.py
from dogpile.cache import make_region
from dogpile.cache.api import NO_VALUE, NoValue
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.models import Setting, Site

REGION = make_region().configure("dogpile.cache.memory")


def site_name(site_id: int, session: Session) -> str:
    found = REGION.get(f"name-{site_id}")
    if not isinstance(found, NoValue):
        return found
    found = session.execute(select(Site.name).where(Site.id == site_id)).scalar_one()
    REGION.set(f"name-{site_id}", found)
    return found


def column(site_id: int, which, deleted: bool = True, *, session: Session) -> str:
    if deleted:
        key = f"{which}-{site_id}"
        found = REGION.get(key)
        if not isinstance(found, NoValue):
            return found
    found = session.execute(select(which).where(Site.id == site_id)).scalar_one()
    if deleted:
        REGION.set(key, found)
    return found


def zone(site_id: int, deleted: bool = True, *, session: Session) -> str:
    return column(site_id, Site.zone, deleted, session=session)


def expression(text: str, session: Session) -> list[Site]:
    found = REGION.get(text)
    if type(found) is NoValue:
        found = list(session.scalars(select(Site).where(Site.name == text)))
        REGION.set(text, found)
    return found


def attribute(name: str, use_cache: bool = False, *, session: Session) -> str:
    if use_cache:
        found = REGION.get(name)
        if found is not NO_VALUE:
            return found
    value = session.execute(select(Setting.value).where(Setting.name == name)).scalar_one()
    if use_cache:
        REGION.set(name, value)
    return value


def read_from_cache(key: str) -> object:
    return REGION.get(key)


def write_to_cache(key: str, value: object) -> None:
    REGION.set(key, value)


def setting(name: str, use_cache: bool = True, *, session: Session) -> object:
    cached = NO_VALUE
    if use_cache:
        cached = read_from_cache(name)
    if cached is NO_VALUE:
        value = session.execute(select(Setting.value).where(Setting.name == name)).first()
        write_to_cache(name, value)
    else:
        value = cached
    return value


def configured(name: str, use_cache: bool = True, *, session: Session) -> object:
    return setting(name, use_cache=use_cache, session=session)


def looked_up(name: str, check_table: bool = True, use_cache: bool = True, *, session: Session) -> object:
    if check_table:
        return setting(name, use_cache=use_cache, session=session)
    return None


def uncached(name: str, *, session: Session) -> object:
    """Looks into a map that nothing fills."""
    found = REGION.get(name)
    if found is not NO_VALUE:
        return found
    return session.execute(select(Setting.value).where(Setting.name == name)).scalar_one()


# file: app/jobs.py
from sqlalchemy.orm import Session

from app.cached import attribute, column, configured, expression, looked_up, setting, site_name, uncached, zone
from app.models import Site


def names(ids: list[int], session: Session) -> list[str]:
    return [site_name(each, session) for each in ids]


def zones(ids: list[int], session: Session) -> list[str]:
    return [zone(each, session=session) for each in ids]


def zones_anew(ids: list[int], session: Session) -> list[str]:
    found = []
    for each in ids:
        found.append(zone(each, deleted=False, session=session))  # flagged
        found.append(column(each, Site.zone, False, session=session))  # flagged
    return found


def sites(texts: list[str], session: Session) -> list[Site]:
    found = []
    for text in texts:
        found.extend(expression(text, session))
    return found


def attributes(wanted: list[str], session: Session) -> list[str]:
    found = []
    for name in wanted:
        found.append(attribute(name, True, session=session))
        found.append(attribute(name, session=session))  # flagged
    return found


def settings(wanted: list[str], session: Session) -> list[object]:
    found = []
    for name in wanted:
        found.append(configured(name, session=session))
        found.append(setting(name, session=session))
        found.append(looked_up(name, session=session))
        found.append(configured(name, use_cache=False, session=session))  # flagged
        found.append(uncached(name, session=session))  # flagged
    return found
