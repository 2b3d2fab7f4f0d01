"""What the tests of a whole run need: a small backend, and the command."""

from tests.cli.conftest import backend, environment, evenkeel

__all__ = ["backend", "environment", "evenkeel"]
