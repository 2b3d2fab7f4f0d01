"""The collector of cycles, put off for a while."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without_collection() -> Iterator[None]:
    """For work that makes much which lives on, or has no cycles: to look for some meanwhile takes a tenth of its time.

    Reference counts free what they always do. May be nested: it is put back as it was found.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
