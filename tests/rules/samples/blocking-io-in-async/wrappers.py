# file: app/threads.py
import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

class Threads:
    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(4)

    def run(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> asyncio.Future[Any]:
        loop = asyncio.get_running_loop()
        return loop.run_in_executor(self._pool, partial(function, *args, **kwargs))
# file: app/files.py
import json
import tempfile
from pathlib import Path
from app.threads import Threads

class Files(Threads):
    folder = Path("data")

    def _load(self, name: str) -> dict[str, str]:
        with (self.folder / name).open() as file:
            return json.load(file)

    async def load(self, name: str) -> dict[str, str]:
        return await self.run(self._load, name)

    async def load_badly(self, name: str) -> dict[str, str]:
        return self._load(name)  # flagged

    async def read_text(self, name: str) -> str:
        return await self.run((self.folder / name).read_text, encoding="utf-8")

    async def scratch(self) -> str:
        with tempfile.TemporaryDirectory() as folder:  # flagged
            return folder

    async def names(self) -> list[str]:
        return [each.name for each in self.folder.iterdir()]  # flagged

    async def later(self) -> None:
        def clean() -> None:
            for each in self.folder.glob("*.tmp"):
                each.unlink()

        await self.run(clean)

    async def callback(self) -> None:
        self.run(lambda: self.folder.rmdir())
