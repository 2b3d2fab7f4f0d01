"""Servers for tests; tests may be coroutines."""

from tests.storages import database, place, pytest_pyfunc_call

__all__ = ["database", "place", "pytest_pyfunc_call"]
