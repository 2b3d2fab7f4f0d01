import asyncio
import time
from threading import Thread
from fastapi import FastAPI

app = FastAPI()

class Backoff:
    def __init__(self) -> None:
        self.attempt = 0

    def wait(self) -> None:
        self.attempt += 1
        time.sleep(2 ** self.attempt)

    async def wait_async(self) -> None:
        self.attempt += 1
        await asyncio.sleep(2 ** self.attempt)

@app.get("/slow")
async def slow() -> None:
    Backoff().wait()  # flagged

@app.get("/fine")
async def fine() -> None:
    await Backoff().wait_async()
    await asyncio.to_thread(Backoff().wait)
    Thread(target=Backoff().wait).start()

@app.get("/plain")
def plain() -> None:
    time.sleep(1)

async def job() -> None:
    from time import sleep as pause
    pause(0.1)  # flagged
    for _ in range(3):
        time.sleep(1)  # flagged
