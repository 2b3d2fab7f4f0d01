from fastapi import Depends, FastAPI
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

app = FastAPI()


class Base(DeclarativeBase): ...


class Document(Base):
    __tablename__ = "documents"
    id: Mapped[int] = mapped_column(primary_key=True)
    changed: Mapped[int]


async def get_session() -> AsyncSession: ...


class Classifier:
    def __init__(self, session: AsyncSession) -> None:
        self.session = session
        self.trained_for = None
        self.documents = None

    async def train(self) -> bool:
        """What it was trained for is compared, not given instead of asking."""
        latest = await self.session.scalar(select(func.max(Document.changed)))
        if self.trained_for is not None and self.trained_for >= latest:
            return False
        self.trained_for = latest
        return True

    async def all(self) -> list[Document]:
        if not self.documents:
            self.documents = list((await self.session.scalars(select(Document))).all())  # flagged
        return self.documents


def get_classifier(session: AsyncSession = Depends(get_session)) -> Classifier:
    return Classifier(session)


@app.post("/train")
async def train(classifier: Classifier = Depends(get_classifier)) -> int:
    await classifier.train()
    return len(await classifier.all())
