import asyncpg


class Bus:
    def __init__(self) -> None:
        self.listeners: list = []

    def publish(self, event: dict) -> None:
        for each in self.listeners:
            each(event)


class Run:
    """Each event is written, and then told to those who listen."""

    def __init__(self, pool: asyncpg.Pool, bus: Bus) -> None:
        self.pool = pool
        self.bus = bus

    async def emit(self, draft: str) -> dict:
        event = {"text": draft}
        await self._store(event)  # flagged
        self.bus.publish(event)
        return event

    async def _store(self, event: dict) -> None:
        await self.pool.execute("INSERT INTO stream_events (body) VALUES ($1)", event)


class Orders:
    """A domain event: one for each order."""

    def __init__(self, pool: asyncpg.Pool, bus: Bus) -> None:
        self.pool = pool
        self.bus = bus

    async def place(self, number: int) -> None:
        event = {"order": number}
        await self.pool.execute("INSERT INTO orders (body) VALUES ($1)", event)
        self.bus.publish(event)
