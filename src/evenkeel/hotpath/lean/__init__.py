"""Lean messages: what is logged, encoded and fed back costs no copy of the conversation.

`build_lean` answers a `LeanMessages`; the promises are at `ports.messages`. Optimised (`by_reference.py`): summaries and
redaction look at the messages where they are, one encode buffer is used again and again, a tool result is cut once.
Rollback (`cloning.py`): messages are copied whole before anything is done with them.
"""

from __future__ import annotations

from evenkeel.hotpath.lean.build import build_lean
from evenkeel.hotpath.ports.messages import Cut, LeanMessages, Message, MessageSummary

__all__ = ["Cut", "LeanMessages", "Message", "MessageSummary", "build_lean"]
