"""Outbox: sends queued messages, each account at its own pace.

Open with `build_outbox`; the promises are at `ports.dispatcher` and `ports.outbox_rows`. Optimised (`grouped.py`): rows are
claimed by channel and account, a bounded number of each is under way, an account that fails is left alone by its
breaker at no cost to its messages. Rollback (`serial.py`): one loop, one message after the other.

A sender is any callable; `http.py` has one for JSON over HTTP (extra `outbox-http`), behind the guard of `targets.py`.
Back-off per provider is data: `templates.toml`, extended by `read_templates`.
"""

from __future__ import annotations

from evenkeel.hotpath.outbox.build import build_outbox
from evenkeel.hotpath.outbox.targets import TargetRules
from evenkeel.hotpath.outbox.templates import Templates, read_templates
from evenkeel.hotpath.ports.dispatcher import Dispatcher, DispatchRules, SendClass, SendResult

__all__ = [
    "DispatchRules",
    "Dispatcher",
    "SendClass",
    "SendResult",
    "TargetRules",
    "Templates",
    "build_outbox",
    "read_templates",
]
