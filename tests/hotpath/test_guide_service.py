"""The guide's service runs as it stands: its code is copied out of the page, served by uvicorn, and spoken to over HTTP."""

from __future__ import annotations

import asyncio
import re
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
import pytest

GUIDE = Path(__file__).parents[2] / "docs" / "guide" / "fastapi.md"
(SERVICE,) = re.findall(r"```python\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
LINES = [line for line in SERVICE.splitlines() if line and not re.match(r"from |import |\"\"\"|\s*\):$", line)]


@asynccontextmanager
async def served(folder: Path) -> AsyncIterator[httpx2.AsyncClient]:
    (folder / "reports.py").write_text(SERVICE)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-W", "error::DeprecationWarning:reports", "-m", "uvicorn", "reports:app", "--port", str(port),
        cwd=folder, stderr=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=15) as client:
            await answering(client, process)
            yield client
    finally:
        process.send_signal(signal.SIGTERM)
        said = b"".join(await process.communicate()).decode()
    assert "Traceback" not in said, said


async def answering(client: httpx2.AsyncClient, process: asyncio.subprocess.Process) -> None:
    while process.returncode is None:
        try:
            await client.get("/health")
        except httpx2.TransportError:
            await asyncio.sleep(0.05)
        else:
            return
    raise AssertionError((await process.communicate())[1].decode())


@pytest.mark.timeout(60)
async def test_the_service_of_the_guide_runs_by_copy_and_paste(tmp_path: Path) -> None:
    async with served(tmp_path) as client:
        assert (await client.get("/health")).json()["switches"]["tasks"]["path"] == "optimised"

        assert (await client.post("/users/ann", params={"password": "right"})).status_code == 200
        assert (await client.post("/login/ann", params={"password": "right"})).json() == {"valid": True}
        assert (await client.post("/login/nobody", params={"password": "right"})).json() == {"valid": False}
        await client.post("/login/ann", params={"password": "wrong"})
        refused = await client.post("/login/ann", params={"password": "right"})
        assert refused.status_code == 429
        assert int(refused.headers["Retry-After"]) > 0
        assert refused.json()["hint"]

        working = asyncio.create_task(client.post("/documents/a", params={"run": "1", "seconds": 1.5}))
        while not (await client.get("/health")).json()["sessions"]:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
        busy = await client.post("/documents/a", params={"run": "2", "seconds": 0})
        assert busy.status_code == 409
        assert (await client.post("/documents/b", params={"run": "3", "seconds": 0})).status_code == 200
        assert (await working).status_code == 200

        ordered = await client.post("/reports/r1", params={"about": "tea"})
        assert ordered.json() == {"new": 1}
        assert (await client.post("/reports/r1", params={"about": "tea"})).json() == {"new": 0}
        while (found := (await client.get("/reports/r1")).json()["text"]) is None:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
        assert found == "report about tea"


def test_it_is_a_small_service() -> None:
    assert len(LINES) <= 40
