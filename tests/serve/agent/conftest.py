"""Storage on every database and path, and tests that are coroutines."""

from __future__ import annotations

from tests.storages import database, place, pytest_pyfunc_call

__all__ = ["database", "place", "pytest_pyfunc_call"]
