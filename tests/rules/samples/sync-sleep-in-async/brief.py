# file: app/files.py
import os
import time


def put(temporary: str, path: str) -> None:
    try:
        os.replace(temporary, path)
    except PermissionError:
        time.sleep(0.01)
        os.replace(temporary, path)


def put_slowly(temporary: str, path: str) -> None:
    try:
        os.replace(temporary, path)
    except PermissionError:
        time.sleep(1)
        os.replace(temporary, path)


# file: app/main.py
import time

from fastapi import FastAPI

from app.files import put, put_slowly

app = FastAPI()


@app.post("/files")
async def store() -> None:
    put("a.tmp", "a")
    put_slowly("b.tmp", "b")  # flagged
    time.sleep(0.01)  # flagged
