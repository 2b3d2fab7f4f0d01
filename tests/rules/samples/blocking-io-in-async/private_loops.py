import asyncio
import time
from pathlib import Path

from celery import shared_task
from fastapi import FastAPI

app = FastAPI()


async def read(name: str) -> str:
    return Path(name).read_text()


async def gather(names: list[str]) -> list[str]:
    return [await read(name) for name in names]


@shared_task
def report(names: list[str]) -> list[str]:
    """The loop of a job serves nobody else."""
    return asyncio.run(gather(names))


async def shared(name: str) -> str:
    return Path(name).read_text()  # flagged


@shared_task
def report_one(name: str) -> str:
    return asyncio.run(shared(name))


@app.get("/one")
async def one(name: str) -> str:
    return await shared(name)


async def serve() -> None:
    Path("ready").write_text("yes")  # flagged
    while True:
        await asyncio.sleep(1)


def main() -> None:
    asyncio.run(serve())


if __name__ == "__main__":
    main()
    time.sleep(1)
