"""evenkeel: find, fix and prove the persistence and performance of a backend."""

__version__ = "0.1.0"
