from fastapi import FastAPI
from sqlalchemy import text
from sqlalchemy.orm import Session

app = FastAPI()


class Store:
    def __init__(self, database) -> None:
        self._db = database

    async def key(self) -> str:
        async with self._db.begin() as connection:
            return await connection.scalar(text("SELECT key FROM keys"))


@app.get("/keys")
async def keys(store: Store) -> str:
    return await store.key()


@app.get("/sync")
async def sync(session: Session) -> str:
    with session.begin():
        return session.scalar(text("SELECT key FROM keys"))  # flagged
