"""Text that no column of both databases can keep is refused by every call that would store it, with nothing written."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from evenkeel.hotpath.ports.agent_tasks import NewTask
from evenkeel.hotpath.ports.chat_log import ChatMessage
from evenkeel.hotpath.ports.errors import UnencodableError
from evenkeel.hotpath.ports.leases import LeaseRequest
from evenkeel.hotpath.ports.outbox_rows import NewMessage
from evenkeel.hotpath.ports.sessions import NewSession
from evenkeel.hotpath.ports.storage import Storage
from evenkeel.hotpath.ports.users import NewUser
from tests.storages import Place

Call = Callable[[Storage, str], Awaitable[object]]
CALLS: dict[str, Call] = {
    "a lease's session": lambda s, bad: s.leases.acquire(LeaseRequest(bad, "run", "u")),
    "a lease's owner": lambda s, bad: s.leases.acquire(LeaseRequest("s", bad, "u")),
    "a stream's session": lambda s, bad: s.events.open(bad, "u"),
    "a stream's user": lambda s, bad: s.events.open("s", bad),
    "a post's session": lambda s, bad: s.events.post(bad, "u", b"x"),
    "a task's id": lambda s, bad: s.tasks.enqueue([NewTask(bad, b"")]),
    "a task's thread": lambda s, bad: s.tasks.enqueue([NewTask("t", b"", thread_id=bad)]),
    "a message's account": lambda s, bad: s.outbox.enqueue([NewMessage("m", "chat", bad, "user", "p", b"")]),
    "a message's key": lambda s, bad: s.outbox.enqueue(
        [NewMessage("m", "chat", "a", "user", "p", b"", idempotency_key=bad)]
    ),
    "a chat line": lambda s, bad: s.chat.append([ChatMessage("s", "u", "user", bad, b"")]),
    "a session's title": lambda s, bad: s.sessions.ensure(NewSession("s", "u", bad)),
    "a user's name": lambda s, bad: s.users.create(NewUser("u", bad, "hash")),
    "a thread's agent": lambda s, bad: s.threads.bind("u", bad, "s"),
}


@pytest.mark.parametrize("bad", ["nul \0", "surrogate \ud800"], ids=["nul", "surrogate"])
@pytest.mark.parametrize("call", CALLS)
async def test_bad_text_is_refused_with_a_reason(database: Place, call: str, bad: str) -> None:
    async with database.open() as storage:
        with pytest.raises(UnencodableError) as raised:
            await CALLS[call](storage, bad)
        assert raised.value.hint
        assert await storage.tasks.claim("w", 10, 10) == []
        assert await storage.outbox.claim("w", limit=10, per_group=10, lease_s=10) == []
        assert (await storage.chat.window("s", "u")).messages == ()
