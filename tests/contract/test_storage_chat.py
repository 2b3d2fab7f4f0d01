"""The chat log, sessions, threads, accounts and tokens."""

from __future__ import annotations

import asyncio
import secrets

import pytest

from evenkeel.hotpath.ports.agent_tasks import NewTask
from evenkeel.hotpath.ports.chat_log import ChatMessage
from evenkeel.hotpath.ports.errors import NameTakenError, OversizedError, UnencodableError, UnknownSessionError
from evenkeel.hotpath.ports.leases import LeaseRequest
from evenkeel.hotpath.ports.sessions import NewSession
from evenkeel.hotpath.ports.storage import Bounds
from evenkeel.hotpath.ports.stream_events import Cursor
from evenkeel.hotpath.ports.threads import ThreadStatus
from evenkeel.hotpath.ports.tokens import token_hash
from evenkeel.hotpath.ports.users import NewUser, Quota
from evenkeel.kernel.errors import NotFoundError
from tests.storages import Place


def said(number: int, role: str = "user", **more: object) -> ChatMessage:
    return ChatMessage("s", "u", role, f"text {number}", b"\0%d" % number, **more)  # type: ignore[arg-type]


async def test_the_window_is_the_tail_in_order(place: Place) -> None:
    """Lesson o: a replay is a tail window, never everything."""
    async with place.open() as storage:
        ids = await storage.chat.append([said(n, "user" if n % 2 else "tool") for n in range(10)])
        assert ids == sorted(ids)
        window = await storage.chat.window("s", "u", limit=3)
        assert [m.content for m in window.messages] == ["text 7", "text 8", "text 9"]
        assert [m.payload for m in window.messages] == [b"\x007", b"\x008", b"\x009"]
        assert not window.complete
        older = await storage.chat.window("s", "u", limit=20, before_id=window.messages[0].message_id)
        assert [m.content for m in older.messages] == [f"text {n}" for n in range(7)]
        assert older.complete
        users = await storage.chat.window("s", "u", roles=["user"], limit=2)
        assert [m.content for m in users.messages] == ["text 7", "text 9"]


async def test_a_foreign_session_s_messages_are_not_there(place: Place) -> None:
    """Lesson t: every read of a session checks its owner."""
    async with place.open() as storage:
        await storage.chat.append([said(1)])
        assert (await storage.chat.window("s", "other")).messages == ()


async def test_a_keyed_message_is_stored_once(place: Place) -> None:
    async with place.open() as storage:
        assert len(await storage.chat.append([said(1, key="k"), said(2)])) == 2
        assert len(await storage.chat.append([said(1, key="k"), said(3)])) == 1
        contents = [m.content for m in (await storage.chat.window("s", "u")).messages]
        assert contents == ["text 1", "text 2", "text 3"]
        await storage.chat.forget("s")
        assert (await storage.chat.window("s", "u")).messages == ()


async def test_bad_text_is_refused_and_harms_no_other(place: Place) -> None:
    async with place.open(bounds=Bounds(text_bytes=64)) as storage:
        for bad in ("nul \0", "surrogate \udcff"):
            with pytest.raises(UnencodableError) as raised:
                await storage.chat.append([said(1), ChatMessage("s", "u", "user", bad, b"")])
            assert raised.value.hint
        with pytest.raises(OversizedError):
            await storage.chat.append([said(1), ChatMessage("s", "u", "user", "é" * 33, b"")])
        assert (await storage.chat.window("s", "u")).messages == ()
        await storage.chat.append([ChatMessage("s", "u", "user", "é" * 32, b"")])
        assert (await storage.chat.window("s", "u")).messages[0].content == "é" * 32


async def test_sessions_are_made_once_and_belong_to_someone(place: Place) -> None:
    async with place.open() as storage:
        made = await storage.sessions.ensure(NewSession("s", "u", "title", agent_id="a", spawn_label="label"))
        assert (made.title, made.agent_id, made.spawn_label, made.rounds) == ("title", "a", "label", 0)
        assert await storage.sessions.ensure(NewSession("s", "u", "another title")) == made
        with pytest.raises(UnknownSessionError):
            await storage.sessions.ensure(NewSession("s", "thief", ""))
        for user in ("thief", ""):
            with pytest.raises(UnknownSessionError):
                await storage.sessions.get("s", user)
        with pytest.raises(UnknownSessionError) as raised:
            await storage.sessions.get("none", None)
        assert raised.value.hint
        assert await storage.sessions.get("s", None) == made


async def test_rounds_never_go_back(place: Place) -> None:
    """Lesson k: counters are rebuilt from storage."""
    async with place.open() as storage:
        await storage.sessions.ensure(NewSession("s", "u", ""))
        rounds = await asyncio.gather(*(storage.sessions.next_round("s", "u", "first words") for _ in range(5)))
        assert sorted(rounds) == [1, 2, 3, 4, 5]
        assert (await storage.sessions.get("s", "u")).title == "first words"
    async with place.open() as storage:
        assert await storage.sessions.next_round("s", "u") == 6
        with pytest.raises(UnknownSessionError):
            await storage.sessions.next_round("s", "thief")


async def test_sessions_are_listed_newest_first(timed: Place) -> None:
    async with timed.open() as storage:
        for n in range(5):
            await storage.sessions.ensure(NewSession(f"s{n}", "u", "", agent_id="a" if n % 2 else ""))
            timed.manual.advance(1)
        await storage.sessions.ensure(NewSession("foreign", "other", ""))
        await storage.sessions.next_round("s0", "u")
        total, page = await storage.sessions.page("u", limit=2)
        assert (total, [each.session_id for each in page]) == (5, ["s0", "s4"])
        total, page = await storage.sessions.page("u", agent_id="a")
        assert (total, [each.session_id for each in page]) == (2, ["s3", "s1"])
        _, page = await storage.sessions.page("u", limit=2, offset=4)
        assert [each.session_id for each in page] == ["s1"]
        assert await storage.sessions.page("u", parent_session_id="p") == (0, [])


async def test_a_session_can_be_changed_by_its_user_alone(place: Place) -> None:
    async with place.open() as storage:
        await storage.sessions.ensure(NewSession("s", "u", ""))
        await storage.sessions.rename("s", "u", "new")
        await storage.sessions.set_tool_overrides("s", "u", '["x"]')
        changed = await storage.sessions.get("s", "u")
        assert (changed.title, changed.tool_overrides) == ("new", '["x"]')
        for change in (storage.sessions.rename, storage.sessions.set_tool_overrides):
            with pytest.raises(UnknownSessionError):
                await change("s", "thief", "[]")


async def test_deleting_a_session_takes_everything_of_it_along(place: Place) -> None:
    async with place.open() as storage:
        await storage.sessions.ensure(NewSession("s", "u", ""))
        await storage.chat.append([said(1)])
        await storage.events.post("s", "u", b"event")
        await storage.tasks.enqueue([NewTask("t", b"", session_id="s"), NewTask("kept", b"")])
        await storage.threads.bind("u", "", "s")
        lease = await storage.leases.acquire(LeaseRequest("s", "run", "u"))
        assert lease is not None
        await storage.sessions.delete("s", "thief")
        assert (await storage.sessions.get("s", "u")).user_id == "u"
        for _ in range(2):
            await storage.sessions.delete("s", "u")
        with pytest.raises(UnknownSessionError):
            await storage.sessions.get("s", "u")
        assert (await storage.events.read(Cursor("s", 0))).events == ()
        assert (await storage.chat.window("s", "u")).messages == ()
        assert [each.task_id for each in await storage.tasks.claim("w", 9, 9)] == ["kept"]
        assert await storage.threads.main("u", "") is None
        again = await storage.leases.acquire(LeaseRequest("s", "run", "u"))
        assert again is not None
        assert again.epoch > lease.epoch


async def test_a_user_and_an_agent_have_one_main_thread(place: Place) -> None:
    async with place.open() as storage:
        assert await storage.threads.main("u", "a") is None
        bound = await asyncio.gather(*(storage.threads.bind("u", "a", f"s{n}") for n in range(4)))
        winner = await storage.threads.main("u", "a")
        assert winner is not None
        assert winner.session_id in {each.session_id for each in bound}
        other = await storage.threads.bind("u", "b", "other")
        mains = await storage.threads.mains("u", ["a", "b", "none"])
        assert {each.session_id for each in mains} == {winner.session_id, other.session_id}
        assert await storage.threads.mains("u", []) == []
        assert winner.thread_id == f"thread_{winner.session_id}"
        await storage.threads.set_status(winner.session_id, ThreadStatus.BUSY)
        await storage.threads.set_status("nobody's", ThreadStatus.BUSY)
        assert (await storage.threads.bind("u", "a", winner.session_id)).status is ThreadStatus.BUSY
        assert (await storage.threads.bind("u", "a", "another")).status is ThreadStatus.IDLE


async def test_names_are_taken_once(place: Place) -> None:
    async with place.open() as storage:
        made = await storage.users.create(NewUser("u1", "ann", "hash", "ann@example.org"))
        assert (made.user_id, made.status, made.is_demo, made.last_login_at) == ("u1", "active", False, None)
        for twin in (NewUser("u1", "x", "h"), NewUser("u2", "ann", "h"), NewUser("u3", "y", "h", "ann@example.org")):
            with pytest.raises(NameTakenError):
                await storage.users.create(twin)
        await storage.users.create(NewUser("u4", "bob", "hash"))
        await storage.users.create(NewUser("u5", "eve", "hash"))  # no e-mail address is no duplicate
        assert await storage.users.by_name("ann") == await storage.users.by_id("u1") == made
        assert await storage.users.by_name("nobody") is None
        changed = await storage.users.change("u4", username="robert", email="", unit_id=None)
        assert (changed.username, changed.email) == ("robert", "")
        with pytest.raises(NameTakenError):
            await storage.users.change("u4", username="ann", email=None, unit_id=None)
        with pytest.raises(NotFoundError):
            await storage.users.change("none", username="x", email=None, unit_id=None)
        assert await storage.users.by_name("robert")


async def test_a_rehash_does_not_undo_a_password_change(place: Place) -> None:
    async with place.open() as storage:
        await storage.users.create(NewUser("u", "ann", "old"))
        assert await storage.users.set_password("u", "new")
        assert not await storage.users.set_password("u", "rehash of old", replaces="old")
        assert await storage.users.set_password("u", "rehash of new", replaces="new")
        await storage.users.logged_in("u")
        account = await storage.users.by_id("u")
        assert account is not None
        assert account.password_hash == "rehash of new"
        assert account.last_login_at is not None


async def test_quota_is_checked_and_taken_in_one_step(place: Place) -> None:
    async with place.open() as storage:
        await storage.users.create(NewUser("u", "ann", "h", daily_quota=5))
        answers = await asyncio.gather(*(storage.users.consume_quota("u", "2026-02-10") for _ in range(8)))
        assert sum(answer.allowed for answer in answers) == 5
        assert await storage.users.consume_quota("u", "2026-02-10") == Quota(False, 5, 5, "2026-02-10")
        assert await storage.users.consume_quota("u", "2026-02-11", 2) == Quota(True, 2, 5, "2026-02-11")
        assert await storage.users.consume_quota("u", "2026-02-09") == Quota(True, 3, 5, "2026-02-11")
        with pytest.raises(NotFoundError):
            await storage.users.consume_quota("none", "2026-02-10")
        await storage.users.create(NewUser("free", "bob", "h", daily_quota=0))
        assert (await storage.users.consume_quota("free", "2026-02-10", 1_000)).allowed


async def test_tokens_are_known_by_their_hash_and_end(timed: Place) -> None:
    token = secrets.token_hex(16)
    hashed = token_hash(token)
    assert token not in hashed
    async with timed.open() as storage:
        account = await storage.users.create(NewUser("u", "ann", "h"))
        ends = await storage.tokens.issue(hashed, "u", ttl_s=100)
        assert await storage.tokens.issue(hashed, "u", ttl_s=500) == ends
        owner = await storage.tokens.owner(hashed)
        assert owner is not None
        assert (owner.user, owner.expires_at) == (account, ends)
        assert await storage.tokens.owner(token) is None
        await storage.tokens.touch({hashed: timed.manual.wall_s() + 5, "unknown": 1.0})
        timed.manual.advance(101)
        assert await storage.tokens.owner(hashed) is None
        assert await storage.tokens.sweep() == 1
        await storage.tokens.issue(hashed, "u", ttl_s=100)
        await storage.tokens.revoke(hashed)
        await storage.tokens.revoke(hashed)
        assert await storage.tokens.owner(hashed) is None
