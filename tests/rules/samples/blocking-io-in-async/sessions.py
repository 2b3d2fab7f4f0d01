# file: app/models.py
from sqlalchemy import ForeignKey
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

class Base(DeclarativeBase):
    pass

class Team(Base):
    __tablename__ = "teams"
    id: Mapped[int] = mapped_column(primary_key=True)

class User(Base):
    __tablename__ = "users"
    id: Mapped[int] = mapped_column(primary_key=True)
    team_id: Mapped[int] = mapped_column(ForeignKey("teams.id"))
    team: Mapped[Team] = relationship()
# file: app/main.py
from fastapi import Depends, FastAPI
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session
from app.models import Team, User

app = FastAPI()

def get_db() -> Session: ...
async def get_session() -> AsyncSession: ...

@app.get("/sync/{user_id}")
async def sync_in_async(user_id: int, db: Session = Depends(get_db)) -> int:
    user = db.query(User).filter(User.id == user_id).first()  # flagged
    team = db.get(Team, user.team_id)  # flagged
    db.add(User(id=user_id + 1, team_id=team.id))
    db.commit()  # flagged
    return team.id

@app.get("/thread/{user_id}")
def sync_in_thread(user_id: int, db: Session = Depends(get_db)) -> int:
    return db.query(User).filter(User.id == user_id).count()

@app.get("/async/{user_id}")
async def all_async(user_id: int, session: AsyncSession = Depends(get_session)) -> int:
    user = await session.scalar(select(User).where(User.id == user_id))
    await session.commit()
    return user.id
