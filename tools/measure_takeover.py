"""How long a run is silent when its server is killed, or told to stop, and another one takes it up.

    python tools/measure_takeover.py --times 5

Two servers on one PostgreSQL with the settings that ship. From the signal to the first event of the successor (`resumed`) and
to its first new text (`text`), as a client sees them that watches the other server.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "src")]

from tests.faults.serving import SLOW, instance  # noqa: E402
from tests.faults.watching import Watcher  # noqa: E402
from tests.postgres import Databases, running_cluster  # noqa: E402

QUICK = {"agent_queue__drain_s": "0.2", "api__drain_s": "0.2", "server__graceful_s": "1"}
SOME = 300  # characters


async def silence(dsn: str, folder: Path, *, kill: bool) -> dict[str, float]:
    """One run. Raises AssertionError when a character was lost or doubled."""
    async with instance(dsn, folder, **SLOW, **QUICK) as one, instance(dsn, folder, **SLOW, **QUICK) as other:
        headers = await one.user("ann")
        session_id = await one.session(headers)
        await one.start(headers, session_id, "say 400 words")
        watcher, signalled, found = Watcher(), 0.0, dict[str, float]()
        async for _ in watcher.follow(other.http, headers, session_id):
            if not signalled and len(watcher.text) > SOME:
                signalled = time.monotonic()
                one.process.kill() if kill else one.process.terminate()
            if watcher.resumed and "resumed" not in found:
                found["resumed"], kept = time.monotonic() - signalled, len(watcher.text)
            if "resumed" in found and "text" not in found and len(watcher.text) > kept:
                found["text"] = time.monotonic() - signalled
        assert watcher.ends[0]["answer"] == watcher.text
        return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=5)
    options = parser.parse_args()
    with running_cluster() as cluster, tempfile.TemporaryDirectory() as folder:
        databases = Databases(cluster.dsn, "takeover")
        for kill in (True, False):
            found = [asyncio.run(silence(databases.create(), Path(folder), kill=kill)) for _ in range(options.times)]
            for name in ("resumed", "text"):
                values = sorted(round(each[name], 2) for each in found)
                print(json.dumps({"after": "SIGKILL" if kill else "SIGTERM", "to": name, "s": values}), flush=True)


if __name__ == "__main__":
    main()
