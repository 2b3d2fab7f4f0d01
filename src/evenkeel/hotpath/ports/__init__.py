"""The ports of the hot path: one Protocol and its value types a file. A leaf: imports the kernel alone.

Two kinds:

- what *storage* offers (`leases`, `shares`, `stream_events`, `agent_tasks`, `outbox_rows`, `chat_log`, `sessions`,
  `threads`, `users`, `tokens`, `wakeups`), gathered in `storage.Storage`;
- what the *rooms* offer to the rest of a service (`limiter`, `bus`, `event_writer`, `write_queue`, `task_queue`,
  `dispatcher`, `cancellation`, `passwords`, `messages`, `bounded`).

Rules that hold for every storage port:

- **Acknowledged means stored.** When a call returns, what it wrote survives the death of this process; with the
  default settings it also survives the death of the machine.
- **All or nothing.** One call is one transaction, unless its docstring says "in parts".
- **Fenced.** A call that changes what someone owns carries the owner's number (`epoch`, `term`, `attempt`). A number
  that is no longer current changes nothing; the result says so and storage counts it
  (`evenkeel_storage_fenced_total`).
- **Unknown outcome.** `StorageUnavailableError` can mean "done, but the answer was lost". Docstrings say *repeatable*
  where the same call can be sent again without doing its work twice.
- **Text** is Unicode without NUL and without lone surrogates, **payloads** are bytes, opaque to storage; each has a
  bound (`storage.Bounds`). What breaks this raises before anything is written, and harms no other item of a batch.
- **Time** is the database's clock, so an instance whose clock jumps neither loses nor steals a lease. Times are Unix
  seconds (float), durations end in `_s`.
"""
