import redis
import valkey
from fastapi import FastAPI
from werkzeug.local import LocalProxy


app = FastAPI()
_client = None
_unset = None


def client():
    global _client
    if not _client:
        _client = redis.Redis(host="cache")
    assert _client
    return _client


class Store:
    def __init__(self) -> None:
        self.connection = None
        self.open()

    def open(self) -> None:
        self.connection = valkey.StrictRedis(host="cache")

    def get(self, key: str) -> bytes | None:
        return self.connection.get(key)


def make_client() -> redis.Redis:
    return redis.Redis(host="cache")


cache = LocalProxy(make_client)
store = Store()


@app.get("/later")
async def later(key: str) -> bytes | None:
    return client().get(key)  # flagged


@app.get("/proxied")
async def proxied(key: str) -> bytes | None:
    return cache.get(key)  # flagged


@app.get("/fork")
async def fork(key: str) -> bytes | None:
    return store.get(key)  # flagged


@app.get("/unset")
async def unset(key: str) -> bytes | None:
    return _unset.get(key) if _unset else None
