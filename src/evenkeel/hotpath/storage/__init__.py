"""Storage: everything the hot path keeps, on SQLite or PostgreSQL, without a thread hop per call.

Open it with `build_storage`; the promises are at the ports (`hotpath.ports`), the SQL in `sql/<dialect>/*.sql`, the
schema in `migrations/<dialect>/`. Optimised: SQLite behind one writer thread that commits waiting work together
(`sqlite/group_commit.py`), PostgreSQL through its native asynchronous client (`postgres/native.py`). Rollback: the
same operations and statements, one thread hop and one transaction per call (`thread_hop.py` in both).

Errors are those of `hotpath.ports.errors`; each says what to do next.
"""

from __future__ import annotations

from evenkeel.hotpath.storage.build import build_storage
from evenkeel.hotpath.storage.settings import JanitorRules, StorageSettings

__all__ = ["JanitorRules", "StorageSettings", "build_storage"]
