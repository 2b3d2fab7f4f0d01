import asyncio
import time
from fastapi import Request

class Runs:
    def __init__(self) -> None:
        self.cancelled: set[str] = set()
        self.running = True
        self.ready = False

    async def by_timeout(self, run_id: str, task: asyncio.Task[str]) -> str:
        while not task.done():
            await asyncio.wait({task}, timeout=0.2)
            if run_id in self.cancelled:  # flagged
                task.cancel()
        return task.result()

    async def by_count(self, run_id: str) -> bool:
        for _ in range(600):
            if run_id in self.cancelled:  # flagged
                return True
            await asyncio.sleep(0.1)
        return False

    async def until_ready(self) -> None:
        while not self.ready:
            await asyncio.sleep(0.1)

    async def heartbeat(self, client, run_id: str) -> None:
        while run_id not in self.cancelled:
            await client.beat(run_id)
            await asyncio.sleep(30)

    async def with_event(self, cancel: asyncio.Event) -> None:
        while not cancel.is_set():
            try:
                await asyncio.wait_for(cancel.wait(), timeout=15)
            except TimeoutError:
                print("still running")

    def in_thread(self, should_stop) -> None:
        while True:
            if should_stop():  # flagged
                break
            time.sleep(0.5)

    async def disconnected(self, request: Request) -> None:
        while not await request.is_disconnected():
            await asyncio.sleep(1)

    async def until_over(self, task) -> None:
        while task.state not in ("completed", "failed", "cancelled"):
            await asyncio.sleep(1)
