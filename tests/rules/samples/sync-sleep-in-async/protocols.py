import time
from typing import Protocol


class Reader(Protocol):
    async def run_of(self, run_id: str) -> str: ...


class Stored:
    async def run_of(self, run_id: str) -> str:
        return run_id


class Client:
    """A client for scripts: it has the shape but for the `async`."""

    def run_of(self, run_id: str) -> str:
        time.sleep(1)
        return run_id


async def shown(reader: Reader, run_id: str) -> str:
    return await reader.run_of(run_id)


async def slept() -> None:
    time.sleep(1)  # flagged
