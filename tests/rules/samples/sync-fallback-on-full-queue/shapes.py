import asyncio
import logging
import queue
import httpx

log = logging.getLogger(__name__)

class Sender:
    def __init__(self, client: httpx.AsyncClient, metrics) -> None:
        self.client = client
        self.metrics = metrics
        self.queue: asyncio.Queue[str] = asyncio.Queue(100)
        self.jobs: queue.Queue[str] = queue.Queue(100)

    async def send(self, text: str) -> None:
        await self.client.post("https://example.org", content=text)

    async def offer(self, text: str) -> None:
        try:
            self.queue.put_nowait(text)
        except asyncio.QueueFull:
            log.warning("full, sending now")
            await self.send(text)  # flagged

    async def offer_to_any(self, text: str, store) -> None:
        if not self.queue.full():
            await self.queue.put(text)
        else:
            store.write(text)  # flagged

    async def offer_later(self, text: str) -> None:
        try:
            self.queue.put_nowait(text)
        except asyncio.QueueFull:
            asyncio.create_task(self.queue.put(text))

    async def offer_or_drop(self, text: str) -> None:
        try:
            self.queue.put_nowait(text)
        except asyncio.QueueFull:
            self.queue.get_nowait()
            self.queue.put_nowait(text)
            self.metrics.dropped.inc(text)

    def offer_sync(self, text: str) -> bool:
        try:
            self.jobs.put_nowait(text)
        except (queue.Full, ValueError):
            return False
        return True

    async def other_errors(self, text: str) -> None:
        try:
            self.queue.put_nowait(text)
        except ValueError:
            await self.send(text)

    async def by_size(self, text: str) -> None:
        if self.queue.qsize() >= 90:
            await self.send(text)  # flagged
            return
        self.queue.put_nowait(text)
