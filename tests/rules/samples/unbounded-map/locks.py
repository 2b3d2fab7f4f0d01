import asyncio


class Locks:
    """A lock for each key is there to be shared: the table lasts as long as keys come, whoever keeps it."""

    def __init__(self) -> None:
        self._locks: dict[str, asyncio.Lock] = {}

    def of(self, key: str) -> asyncio.Lock:
        return self._locks.setdefault(key, asyncio.Lock())  # flagged


# file: app/tidy.py
import asyncio


class TidyLocks:
    def __init__(self) -> None:
        self._locks: dict[str, asyncio.Lock] = {}

    def of(self, key: str) -> asyncio.Lock:
        return self._locks.setdefault(key, asyncio.Lock())

    def forget(self, key: str) -> None:
        self._locks.pop(key, None)


class Numbers:
    """Of what is no lock, nothing says that an instance lasts."""

    def __init__(self) -> None:
        self._seen: dict[str, int] = {}

    def of(self, key: str) -> int:
        return self._seen.setdefault(key, len(self._seen))
