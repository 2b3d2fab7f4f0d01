"""Wake-ups: heard here at once and elsewhere soon, gathered, and told when they cannot arrive."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import pytest

from evenkeel.hotpath.ports.wakeups import Channel, Mode
from evenkeel.hotpath.storage.listeners import KEYS_BOUND
from evenkeel.hotpath.storage.postgres.listen import PAYLOAD_BYTES, payloads
from tests.postgres import Cluster
from tests.storages import Place


async def until(ready: Callable[[], bool]) -> None:
    while not ready():  # noqa: ASYNC110 what is waited for happens in the storage, which sets no event for tests
        await asyncio.sleep(0.005)


async def test_a_listener_here_hears_at_once(place: Place) -> None:
    async with place.open() as storage:
        heard: list[Sequence[str]] = []
        stop = storage.wakeups.listen(Channel.TASKS, heard.append)
        storage.wakeups.listen(Channel.CANCEL, heard.append)
        storage.wakeups.wake(Channel.TASKS, "t")
        assert heard == [("t",)]
        stop()
        stop()
        storage.wakeups.wake(Channel.TASKS, "u")
        assert heard == [("t",)]


async def test_another_instance_hears_keys_gathered(place: Place) -> None:
    if not place.is_postgres:
        async with place.open() as storage:
            assert storage.wakeups.mode is Mode.LOCAL
        return
    async with place.open() as storage, place.open() as other:
        await until(lambda: storage.wakeups.mode is other.wakeups.mode is Mode.LISTEN)
        here: list[Sequence[str]] = []
        there: list[Sequence[str]] = []
        await asyncio.sleep(0.05)
        storage.wakeups.listen(Channel.EVENTS, here.append)
        other.wakeups.listen(Channel.EVENTS, there.append)
        for n in range(50):
            storage.wakeups.wake(Channel.EVENTS, f"session {n} é")
        await until(lambda: len({key for keys in there for key in keys}) == 50)
        assert len(there) < 10
        await asyncio.sleep(0.05)
        assert len(here) == 50  # none came back through the database


async def test_too_many_keys_become_look_at_all(place: Place) -> None:
    if not place.is_postgres:
        pytest.skip("nothing leaves the process")
    async with place.open() as storage, place.open() as other:
        await until(lambda: other.wakeups.mode is Mode.LISTEN)
        await asyncio.sleep(0.05)
        there: list[Sequence[str]] = []
        other.wakeups.listen(Channel.EVENTS, there.append)
        for n in range(KEYS_BOUND + 10):
            storage.wakeups.wake(Channel.EVENTS, str(n))
        await until(lambda: bool(there))
        assert there[0] == ()


def test_keys_travel_in_notifications_that_fit() -> None:
    keys = [f"session_{n}_" + "é" * 40 for n in range(500)]
    sent = list(payloads("me", keys))
    assert 2 < len(sent) < 50
    assert all(len(text.encode()) <= PAYLOAD_BYTES for text in sent)
    assert list(payloads("me", ())) == ['["me", []]']


async def test_a_broken_connection_is_told_and_mended(postgres_cluster: Cluster) -> None:
    place = Place(postgres_cluster.dsn, "optimised")
    async with place.open() as storage:
        await until(lambda: storage.wakeups.mode is Mode.LISTEN)
        heard: list[Sequence[str]] = []
        await asyncio.sleep(0.05)
        storage.wakeups.listen(Channel.TASKS, heard.append)
        await asyncio.to_thread(postgres_cluster.stop, "immediate")
        await until(lambda: storage.wakeups.mode is Mode.POLL)
        storage.wakeups.wake(Channel.TASKS, "while it is down")
        await asyncio.to_thread(postgres_cluster.start)
        await until(lambda: storage.wakeups.mode is Mode.LISTEN)
        assert heard == [("while it is down",), ()]


async def test_an_urgent_wake_up_does_not_wait_for_the_others(place: Place) -> None:
    if not place.is_postgres:
        pytest.skip("nothing leaves the process")
    async with place.open(coalesce_s=30.0) as storage, place.open() as other:
        await until(lambda: other.wakeups.mode is Mode.LISTEN)
        await asyncio.sleep(0.05)
        there: list[Sequence[str]] = []
        other.wakeups.listen(Channel.CANCEL, there.append)
        storage.wakeups.wake(Channel.EVENTS, "slow")
        for n in range(5):
            storage.wakeups.wake(Channel.CANCEL, f"urgent {n}", at_once=True)
        await until(lambda: sum(map(len, there)) == 5)
