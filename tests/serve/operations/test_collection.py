"""How often Python looks for cycles while the server serves."""

from __future__ import annotations

import asyncio
import ctypes
import gc
import platform
import subprocess
import sys
import weakref
from collections.abc import Iterator

import pytest

from evenkeel.kernel.clock import ManualClock
from evenkeel.kernel.metrics import Meters
from evenkeel.serve.operations import collected_seldom

EVERY_S = 300.0


class Cycle:
    """Refers to itself: no reference count frees it."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture
def full() -> Iterator[list[int]]:
    """How often everything was looked at."""
    found: list[int] = []

    def note(phase: str, info: dict[str, int]) -> None:
        if phase == "stop" and info["generation"] == 2:
            found.append(1)

    gc.callbacks.append(note)
    yield found
    gc.callbacks.remove(note)


async def test_what_lives_on_is_looked_at_when_it_is_time_and_not_before(full: list[int]) -> None:
    meters, clock = Meters(), ManualClock()
    async with collected_seldom(meters, every_s=EVERY_S, clock=clock):
        while not clock.sleepers:  # noqa: ASYNC110
            await asyncio.sleep(0)
        full.clear()
        kept = [[number] for number in range(200_000)]  # with Python's own bounds a full look would have come by now
        assert not full
        old = Cycle()
        gone = weakref.ref(old)
        gc.collect(1)  # it has lived on
        full.clear()
        del old
        assert gone() is not None
        clock.advance(EVERY_S)
        while gone() is not None:  # noqa: ASYNC110
            await asyncio.sleep(0)
    assert len(kept) == 200_000
    assert meters.registry.get_sample_value("evenkeel_process_collection_seconds_count", {"path": "none"}) == 1
    assert (meters.registry.get_sample_value("evenkeel_process_cyclic_objects_total", {"path": "none"}) or 0) >= 1


async def test_young_cycles_are_found_as_ever() -> None:
    async with collected_seldom(Meters(), every_s=EVERY_S):
        young = Cycle()
        gone = weakref.ref(young)
        del young
        kept: list[list[int]] = []
        # Asked apart from what fills: from Python 3.12 on, a look comes after a call, and what the call found is held by then.
        while gone() is not None:
            kept += [[number] for number in range(1_000)]
            assert len(kept) < 100_000


@pytest.mark.parametrize("every_s", [0.0, EVERY_S])
async def test_python_is_left_as_it_was(every_s: float) -> None:
    before, frozen = gc.get_threshold(), gc.get_freeze_count()
    async with collected_seldom(Meters(), every_s=every_s):
        assert (gc.get_threshold() == before) == (every_s == 0)
    assert gc.get_threshold() == before
    assert gc.get_freeze_count() <= frozen  # Python 3.12 starts with some


PEAK = """
import sys
from pathlib import Path
from evenkeel.serve.operations.collection import give_back

def resident_mib():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 >> 20

def peak():
    buffers = [bytearray(3_000) for _ in range(30_000)]
    return buffers[::100]  # they lie between what is free now

kept = peak()
before = resident_mib()
give_back()
print(before - resident_mib())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="malloc_trim is glibc's")
@pytest.mark.blocking_allowed("starting a process")
def test_what_a_busy_minute_took_is_given_back() -> None:
    found = subprocess.run([sys.executable, "-c", PEAK], capture_output=True, text=True, check=True)
    assert int(found.stdout) > 40  # of some 90 MiB; a page in which something lives stays


ASKED = """
import ctypes, sys
from evenkeel.serve.operations.collection import keep_large_apart, settle_names

class Heap(ctypes.Structure):
    names = "arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks fordblks keepcost"  # mallinfo2(3)
    _fields_ = [(name, ctypes.c_size_t) for name in names.split()]

libc = ctypes.CDLL(None)
libc.mallinfo2.restype = Heap
"""

LARGE = """
libc.malloc.restype, libc.malloc.argtypes, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_size_t], [ctypes.c_void_p]
if sys.argv[1] == "asked":
    keep_large_apart()
libc.free(libc.malloc(16 << 20))  # glibc goes by this size from now on, unless it was told otherwise
before = libc.mallinfo2().hblks
kept = libc.malloc(8 << 20)
print(libc.mallinfo2().hblks - before)
"""

NAMES = """
keep_large_apart()
held = [sys.intern(f"a name of the program {number}") for number in range(38_000)]
if sys.argv[1] == "asked":
    settle_names()
before = libc.mallinfo2().hblkhd
for number in range(60_000):
    sys.intern(f"a name of a request {number}")
print(int(libc.mallinfo2().hblkhd > before))
"""


def answer(program: str, asked: str) -> str:
    found = subprocess.run([sys.executable, "-c", ASKED + program, asked], capture_output=True, text=True, check=True)
    return found.stdout.strip()


old_glibc = pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallinfo2"), reason="glibc 2.33 and later can be asked")
names_stay = pytest.mark.skipif(sys.version_info[:2] == (3, 12), reason="interned names never go in Python 3.12")


@old_glibc
@pytest.mark.parametrize(("asked", "apart"), [("asked", "1"), ("as glibc does", "0")])
@pytest.mark.blocking_allowed("starting a process")
def test_what_is_large_lies_apart_from_the_heap(asked: str, apart: str) -> None:
    assert answer(LARGE, asked) == apart


@old_glibc
@names_stay
@pytest.mark.parametrize(("asked", "grown"), [("asked", "0"), ("as Python does", "1")])
@pytest.mark.blocking_allowed("starting a process")
def test_names_that_come_and_go_take_no_memory_later(asked: str, grown: str) -> None:
    assert answer(NAMES, asked) == grown
