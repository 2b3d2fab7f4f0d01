"""Passwords: hashed in a pool of their own, behind limits that are checked before any hashing.

Open with `build_passwords`; the promises are at `ports.passwords`. Optimised (`pooled.py`): a bounded pool, a bounded wait,
a breaker on the age of the queue. Rollback (`inline.py`): hashed on the event loop. Limits, the dummy hash for unknown
users and the bounds on stored hashes hold on both paths.
"""

from __future__ import annotations

from evenkeel.hotpath.passwords.build import build_passwords
from evenkeel.hotpath.ports.passwords import Attempt, HashRules, PasswordHasher, Verdict

__all__ = ["Attempt", "HashRules", "PasswordHasher", "Verdict", "build_passwords"]
