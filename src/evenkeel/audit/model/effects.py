"""Effects: what a call does to the world, whatever the library. The one idea the audit rests on.

A front end's catalogue says which library call has which effects; resolution says which library call a fact is; propagation
carries effects from callee to caller. Rules speak of effects alone, so one rule serves every library that has a catalogue.
"""

from __future__ import annotations

from typing import Literal

import msgspec

EffectKind = Literal[
    "db-read",  # a SELECT or its like reaches the database; detail = entity or table
    "db-write",  # INSERT/UPDATE/DELETE reaches the database; detail = entity or table
    "db-insert",  # the write is an INSERT (always together with db-write)
    "db-update",  # the write is an UPDATE or DELETE (always together with db-write)
    "db-delete",  # the write is a DELETE (always together with db-update)
    "db-bulk",  # one statement for many rows: executemany, bulk_create, add_all, insert_many
    "db-pending",  # joins the unit of work, reaches the database at the next flush (`session.add`)
    "db-pending-insert",  # the pending object is a new one (always together with db-pending)
    "db-pending-delete",  # the pending change is a removal (always together with db-pending)
    "db-count",  # COUNT(*) or another aggregate over a whole table
    "db-load-all",  # materialises every row of a result (`.all()`, `fetchall()`, `list(queryset)`)
    "db-key-read",  # reads one entity by key; free when the identity map holds it (`session.get`)
    "db-flush",
    "db-refresh",
    "begin",  # opens a transaction explicitly
    "commit",
    "rollback",
    "notify",  # NOTIFY / pg_notify / pub-sub publish bound to the transaction
    "connect",  # acquires a session, connection or cursor that must be released; detail = resource
    "close",
    "network",  # leaves the machine other than through a database driver; detail = http, smtp, s3, llm, redis, grpc, ...
    "file",  # touches the file system
    "subprocess",
    "sleep",
    "cpu",  # heavy computing; detail = image, compression, parse, document, crypto, ...
    "password-hash",  # always together with cpu
    "spawn",  # starts a task, thread or process that runs on its own
    "offload",  # runs its argument in a thread or process pool and waits for it
    "gather",  # runs several awaitables at once
    "lock",  # takes a lock; detail = sync, async, distributed
    "enqueue",  # puts work on a queue (in process or broker)
    "dequeue",
    "stream",  # sends one element of a stream to a client (SSE, WebSocket, chunk)
    "stream-response",  # the handler's answer is a stream
    "cache-read",
    "cache-write",
    "log",
    "copy",  # copies a structure; detail = deep, shallow
]


class Effect(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One effect. `blocking` = the calling thread waits inside it (a synchronous driver), so an event loop stands still."""

    kind: EffectKind
    detail: str = ""
    blocking: bool = False
    certain: bool = True  # False when a name or convention stood in for a type


NEW = "new"  # among the variables of a link: the class of the object it is called on, which is made right there
SAVED: dict[EffectKind, EffectKind] = {"db-pending": "db-pending-insert", "db-write": "db-insert"}


def is_new(variables: tuple[tuple[str, str], ...]) -> bool:
    """Whether a method is called on an object that is made right there."""
    return bool(variables) and any(name == NEW for name, _ in variables)


def with_inserts(effects: tuple[Effect, ...], variables: tuple[tuple[str, str], ...]) -> tuple[Effect, ...]:
    """The effects of a method, as a caller sees them who calls it on a new object: what saves that one, inserts it."""
    new = dict(variables).get(NEW, "")
    saved = [each for each in effects if new and each.detail == new and each.kind in SAVED]
    return (*effects, *(Effect(SAVED[each.kind], each.detail, each.blocking, each.certain) for each in saved))


def bind_variables(effect: Effect, variables: tuple[tuple[str, str], ...]) -> Effect:
    """The effect as a caller sees it whose receiver says what the callee leaves open.

    `var:T` becomes what T stands for; the class that defines the method becomes the one it is called on."""
    if not variables or not effect.detail:
        return effect
    bound = dict(variables).get(effect.detail.removeprefix("var:"))
    return effect if bound is None else Effect(effect.kind, bound, effect.blocking, effect.certain)
